package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/netfault/netfault/framework/lab/kind/nodeimage"
	"github.com/netfault/netfault/framework/tools"
)

// component is an image that pods of the cluster run.
type component struct {
	// files are paths in the image and the files that go there.
	files map[string]string
	// base: the image needs programs of Debian's.
	base       bool
	entrypoint string
}

// components are the images by the last element of their names. Where their programs lie is what the manifests of
// kubeadm and flannel start.
func (b builder) components() (map[string]component, error) {
	tool, err := tools.Flanneld(tools.DefaultFlannel)
	if err != nil {
		return nil, err
	}
	flanneld, err := tool.Find()
	if err != nil {
		return nil, err
	}
	inBin := func(program string) map[string]string {
		return map[string]string{"usr/local/bin/" + program: b.bin(program)}
	}
	all := map[string]component{
		"kube-apiserver":          {files: inBin("kube-apiserver")},
		"kube-controller-manager": {files: inBin("kube-controller-manager")},
		"kube-scheduler":          {files: inBin("kube-scheduler")},
		"etcd":                    {files: inBin("etcd")},
		"kube-proxy":              {files: inBin("kube-proxy"), base: true},
		"coredns":                 {files: map[string]string{"coredns": b.bin("coredns")}, entrypoint: "/coredns"},
		"pause":                   {files: map[string]string{"pause": b.bin("pause")}, entrypoint: "/pause"},
		"flannel": {
			files: map[string]string{"opt/bin/flanneld": flanneld, "opt/bin/install-conf": b.bin("install-conf")},
			base:  true, entrypoint: "/opt/bin/flanneld",
		},
		"flannel-cni-plugin": {files: map[string]string{"flannel": b.bin("flannel")}, base: true},
	}
	for _, c := range all {
		if !c.base {
			continue
		}
		for _, family := range []string{"iptables", "ip6tables"} {
			for _, suffix := range []string{"", "-save", "-restore"} {
				c.files["usr/local/sbin/"+family+suffix] = filepath.Join(b.source, "iptables-pick.sh")
			}
		}
	}
	return all, nil
}

// imageNames are the official names of all images that a cluster asks for: kubeadm's, kind's sandbox and flannel's.
func (b builder) imageNames(ctx context.Context, baseFiles string) ([]string, error) {
	list := exec.CommandContext(ctx, b.bin("kubeadm"), "config", "images", "list", "--kubernetes-version", nodeimage.Kubernetes)
	kubeadm, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("kubeadm config images list: %w", err)
	}
	names := strings.Fields(string(kubeadm))
	config, err := os.ReadFile(filepath.Join(baseFiles, "etc", "containerd", "config.toml"))
	if err != nil {
		return nil, err
	}
	sandbox := sandboxImage.FindSubmatch(config)
	if sandbox == nil {
		return nil, fmt.Errorf("kind's containerd configuration names no sandbox_image")
	}
	manifest, err := nodeimage.FlannelManifest(ctx, tools.DefaultFlannel)
	if err != nil {
		return nil, err
	}
	names = append(names, string(sandbox[1]))
	for _, image := range manifestImage.FindAllSubmatch(manifest, -1) {
		names = append(names, string(image[1]))
	}
	return names, nil
}

var (
	sandboxImage  = regexp.MustCompile(`(?m)^\s*sandbox_image = "([^"]+)"`)
	manifestImage = regexp.MustCompile(`(?m)^\s*image: (\S+)$`)
)

// writeComponents writes all component images into one archive.
func (b builder) writeComponents(ctx context.Context, baseFiles string) error {
	names, err := b.imageNames(ctx, baseFiles)
	if err != nil {
		return err
	}
	say("component images")
	if err := b.checkVersions(names); err != nil {
		return err
	}
	components, err := b.components()
	if err != nil {
		return err
	}
	base, err := tarball.LayerFromFile(b.baseTar(), tarball.WithCompressedCaching)
	if err != nil {
		return err
	}
	images := map[name.Reference]v1.Image{}
	for _, full := range names {
		ref, err := name.NewTag(full)
		if err != nil {
			return err
		}
		c, ok := components[ref.RepositoryStr()[strings.LastIndex(ref.RepositoryStr(), "/")+1:]]
		if !ok {
			return fmt.Errorf("the cluster wants the image %s, which hack/node-image/components.go does not know", full)
		}
		if images[ref], err = c.image(base); err != nil {
			return fmt.Errorf("%s: %w", full, err)
		}
	}
	return tarball.MultiRefWriteToFile(b.componentsTar(), images)
}

func (c component) image(base v1.Layer) (v1.Image, error) {
	var content bytes.Buffer
	if err := writeFiles(&content, c.files); err != nil {
		return nil, err
	}
	opener := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content.Bytes())), nil }
	own, err := tarball.LayerFromOpener(opener, tarball.WithCompressedCaching)
	if err != nil {
		return nil, err
	}
	layers := []v1.Layer{own}
	if c.base {
		layers = []v1.Layer{base, own}
	}
	image, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file.OS, file.Architecture = "linux", runtime.GOARCH
	file.Config.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	if c.entrypoint != "" {
		file.Config.Entrypoint = []string{c.entrypoint}
	}
	return mutate.ConfigFile(image, file)
}

// checkVersions holds the pinned etcd and CoreDNS to the versions that kubeadm's images are named by.
func (b builder) checkVersions(names []string) error {
	modules := map[string]string{"etcd": "go.etcd.io/etcd/server/v3", "coredns": "github.com/coredns/coredns"}
	for repository, module := range modules {
		pinned, err := requiredVersion(filepath.Join(b.source, repository, "go.mod"), module)
		if err != nil {
			return err
		}
		for _, full := range names {
			image, tag, _ := strings.Cut(full, ":")
			tag, _, _ = strings.Cut(strings.TrimPrefix(tag, "v"), "-")
			if strings.HasSuffix(image, "/"+repository) && "v"+tag != pinned {
				return fmt.Errorf("kubeadm wants %s, but hack/node-image/%s/go.mod pins %s", full, repository, pinned)
			}
		}
	}
	return nil
}
