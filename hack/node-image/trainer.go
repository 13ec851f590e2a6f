package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/netfault/netfault/framework/lab/netns"
	"github.com/netfault/netfault/framework/tools"
)

// trainerReference is the image's name.
const trainerReference = "localhost/netfault/trainer:latest"

// trainerPort is the port of the page, in the container and, where nothing else is said, outside.
const trainerPort = "8080"

// trainerCache is root's cache in the image.
const trainerCache = "root/.cache/netfault"

// trainerPackages are those that labs need, what people look into a network with, and a first process that waits for orphans, as labs
// leave them, and passes signals on.
func trainerPackages() []string {
	packages := []string{
		"bind9-dnsutils", "curl", "ethtool", "ipset", "iputils-ping", "jq", "less", "netcat-openbsd", "nftables", "tcpdump", "vim-tiny",
		"tini",
	}
	for _, p := range netns.Programs {
		packages = append(packages, p.Package)
	}
	slices.Sort(packages)
	return slices.Compact(packages)
}

// buildTrainer writes the trainer's image into a file.
func buildTrainer(ctx context.Context, file string) error {
	begin := time.Now()
	cache, err := tools.OwnCache()
	if err != nil {
		return err
	}
	b := builder{source: filepath.Join("hack", "node-image", "trainer"), dir: filepath.Join(cache, "trainer-image")}
	if err := errors.Join(os.MkdirAll(b.bin(""), 0o755), os.MkdirAll(filepath.Dir(file), 0o755)); err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(b.dir, "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	layer, err := b.trainerBase(ctx)
	if err != nil {
		return err
	}
	files, err := trainerFiles()
	if err != nil {
		return err
	}
	say("trainer's image")
	image, err := trainerImage(layer, files)
	if err != nil {
		return err
	}
	tag, err := name.NewTag(trainerReference)
	if err != nil {
		return err
	}
	if err := errors.Join(tarball.WriteToFile(file+".partial", tag, image), os.Rename(file+".partial", file)); err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	say("built in %s: %s, %d MB", time.Since(begin).Round(time.Second), file, info.Size()/1e6)
	fmt.Printf(`
docker load --input %s
docker run --rm -it --privileged -p 127.0.0.1:%s:%s %s
`, file, trainerPort, trainerPort, strings.TrimSuffix(trainerReference, ":latest"))
	return nil
}

// trainerBase is the layer with Debian and its dockerd. It is kept until what it is made of changes; to have Debian's own updates, remove
// the file.
func (b builder) trainerBase(ctx context.Context) (v1.Layer, error) {
	setup := filepath.Join(b.source, "setup.sh")
	script, err := os.ReadFile(setup)
	if err != nil {
		return nil, fmt.Errorf("run it in the top folder of netfault's checkout: %w", err)
	}
	fetch := b.bin("fetch-dockerd")
	flags := []string{
		"--variant=minbase", "--include=" + strings.Join(trainerPackages(), ","), "--dpkgopt=path-exclude=/usr/share/info/*",
		"--customize-hook=copy-in " + setup + " " + fetch + " /",
		`--customize-hook=chroot "$1" /bin/sh /setup.sh`,
	}
	if err := goRun(ctx, ".", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", fetch, "./"+filepath.Join(b.source, "fetch-dockerd")); err != nil {
		return nil, err
	}
	// The program is the same, byte for byte, for as long as its sources are.
	program, err := os.ReadFile(fetch)
	if err != nil {
		return nil, err
	}
	made := sha256.Sum256([]byte(strings.Join(trainerPackages(), " ") + string(script) + string(program)))
	base := filepath.Join(b.dir, fmt.Sprintf("base-%s-%x.tar.gz", suite, made[:4]))
	if _, err := os.Stat(base); err != nil {
		root := filepath.Join(b.dir, "root.tar")
		// One that is there is of a build that was ended.
		if err := removeIfThere(root); err != nil {
			return nil, err
		}
		if err := b.debian(ctx, "trainer's image", root, flags...); err != nil {
			return nil, err
		}
		if err := errors.Join(plainArchive(root, base), os.Remove(root)); err != nil {
			return nil, err
		}
	}
	return tarball.LayerFromFile(base)
}

// trainerFiles are netfault and what it has built, by their paths in the image.
func trainerFiles() (map[string]string, error) {
	files := map[string]string{}
	for _, program := range []string{"netfault", "netfault-agent"} {
		files["usr/local/bin/"+program] = filepath.Join("bin", program)
	}
	flanneld, err := tools.Flanneld(tools.DefaultFlannel)
	if err != nil {
		return nil, err
	}
	for _, find := range []func() (string, error){tools.Etcd().Find, tools.CoreDNS().Find, flanneld.Find, flanneld.FindScript} {
		found, err := find()
		if err != nil {
			return nil, err
		}
		files[path.Join(trainerCache, "tools", filepath.Base(found))] = found
	}
	return files, nil
}

// trainerImage is the image of Debian's layer and one with files. It shows an exercise at random, unless its command says another.
func trainerImage(base v1.Layer, files map[string]string) (v1.Image, error) {
	image, err := component{files: files, base: true}.image(base)
	if err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file.Config.Env = append(file.Config.Env, "LANG=C.UTF-8") // for texts in Chinese
	file.Config.Entrypoint = []string{
		"/usr/bin/tini", "--", "netfault", "train", "serve", "--port=" + trainerPort, "--published=" + trainerPort,
	}
	file.Config.Cmd = []string{"--random"}
	file.Config.ExposedPorts = map[string]struct{}{trainerPort + "/tcp": {}}
	file.Config.WorkingDir = "/root"
	return mutate.ConfigFile(image, file)
}
