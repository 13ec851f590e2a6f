package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"

	"github.com/netfault/netfault/framework/lab/kind/nodeimage"
	"github.com/netfault/netfault/framework/tools"
)

// module is a folder under hack/node-image whose go.mod pins the sources of some programs.
type module struct {
	dir string
	// packages are built in it; each program has the name of its package's last element.
	packages []string
	// name is that of the one program, where it is another.
	name    string
	ldflags string
}

const (
	kubernetesCommands = "k8s.io/kubernetes/cmd/"
	cniPlugins         = "github.com/containernetworking/plugins/plugins/"
)

// flannelModule pins flannel, for the embedded lab too.
const flannelModule = "hack/tools/flannel-" + tools.DefaultFlannel

var modules = []module{
	{
		dir: "kubernetes",
		packages: []string{
			kubernetesCommands + "kubeadm", kubernetesCommands + "kubelet", kubernetesCommands + "kubectl",
			kubernetesCommands + "kube-apiserver", kubernetesCommands + "kube-controller-manager",
			kubernetesCommands + "kube-scheduler", kubernetesCommands + "kube-proxy",
		},
		ldflags: kubernetesVersion(),
	},
	{dir: "etcd", packages: []string{"go.etcd.io/etcd/server/v3"}, name: "etcd"},
	{dir: "coredns", packages: []string{"github.com/coredns/coredns"}},
	{dir: "cni-plugins", packages: []string{
		cniPlugins + "ipam/host-local", cniPlugins + "main/bridge", cniPlugins + "main/loopback", cniPlugins + "main/ptp",
		cniPlugins + "meta/portmap",
	}},
	// The last version that has the flannel plugin; flannel's own module of it is not served by the module proxy.
	{dir: "cni-flannel", packages: []string{cniPlugins + "meta/flannel"}},
}

// kubernetesVersion tells the programs their version, without which kubeadm looks for one on the Internet.
func kubernetesVersion() string {
	major, minor, _ := strings.Cut(strings.TrimPrefix(semver.MajorMinor(nodeimage.Kubernetes), "v"), ".")
	var flags []string
	for _, v := range []string{
		"gitVersion=" + nodeimage.Kubernetes, "gitMajor=" + major, "gitMinor=" + minor, "gitTreeState=clean",
		"buildDate=1970-01-01T00:00:00Z",
	} {
		flags = append(flags, "-X k8s.io/component-base/version."+v)
	}
	return strings.Join(flags, " ")
}

func (b builder) buildBinaries(ctx context.Context) error {
	for _, m := range modules {
		var names []string
		for _, p := range m.packages {
			names = append(names, path.Base(p))
		}
		output := b.bin("") + "/"
		if m.name != "" {
			names, output = []string{m.name}, b.bin(m.name)
		}
		say("go build %s: %s", m.dir, strings.Join(names, ", "))
		argv := append([]string{"build", "-trimpath", "-ldflags", "-s -w " + m.ldflags, "-o", output}, m.packages...)
		if err := goRun(ctx, filepath.Join(b.source, m.dir), argv...); err != nil {
			return err
		}
	}
	say("go build flannel, pause")
	flanneld, err := tools.Flanneld(tools.DefaultFlannel)
	if err != nil {
		return err
	}
	if err := flanneld.Build(ctx, os.Stderr, filepath.Join("hack", "tools")); err != nil {
		return err
	}
	installConf := "github.com/flannel-io/flannel/cmd/install_conf"
	err = goRun(ctx, flannelModule, "build", "-trimpath", "-ldflags", "-s -w", "-o", b.bin("install-conf"), installConf)
	if err != nil {
		return err
	}
	return goRun(ctx, ".", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.bin("pause"), "./hack/node-image/pause")
}

// goRun runs the go command without cgo: the programs must not need anything of the images that they go into.
func goRun(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s in %s: %w\n%s", args[0], dir, err, lastLines(out, 8))
	}
	return nil
}

// moduleDir is the folder of a module that netfault requires, downloaded if need be.
func moduleDir(ctx context.Context, module string) (string, error) {
	if err := goRun(ctx, ".", "mod", "download", module); err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("go list -m %s: %w", module, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// requiredVersion reads the version of a module from a go.mod file.
func requiredVersion(gomod, module string) (string, error) {
	content, err := os.ReadFile(gomod)
	if err != nil {
		return "", err
	}
	parsed, err := modfile.ParseLax(gomod, content, nil)
	if err != nil {
		return "", err
	}
	for _, r := range parsed.Require {
		if r.Mod.Path == module {
			return r.Mod.Version, nil
		}
	}
	return "", fmt.Errorf("%s does not require %s", gomod, module)
}

func lastLines(out []byte, n int) string {
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-n):], []byte("\n")))
}
