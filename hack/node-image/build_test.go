package main

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/netfault/netfault/framework/lab/kind/nodeimage"
)

// The stamp sees debian.go, and not versions.go.
func TestDebianFollowsVersions(t *testing.T) {
	if suite != nodeimage.Debian {
		t.Errorf("hack/node-image/debian.go has Debian %q, but versions.go in framework/lab/kind/nodeimage %q: change one",
			suite, nodeimage.Debian)
	}
}

func TestCheckVersions(t *testing.T) {
	b := builder{source: "."}
	coredns, etcd := "registry.k8s.io/coredns/coredns:"+nodeimage.CoreDNS, "registry.k8s.io/etcd:"+nodeimage.Etcd[1:]+"-0"
	if err := b.checkVersions([]string{coredns, "registry.k8s.io/pause:3.10.1", etcd}); err != nil {
		t.Error(err)
	}
	etcd = "registry.k8s.io/etcd:3.0.0-0"
	if err := b.checkVersions([]string{coredns, etcd}); err == nil || !strings.Contains(err.Error(), etcd) {
		t.Errorf("another etcd passes: %v", err)
	}
}

func TestStampFollowsTheSources(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	b := builder{source: filepath.Join("hack", "node-image"), dir: t.TempDir()}
	b.archive = filepath.Join(b.dir, "node.tar")
	stamp, err := b.stamp()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := b.stamp(); err != nil || again != stamp {
		t.Errorf("the same sources: %s and %s, %v", stamp, again, err)
	}
	if err := os.WriteFile(b.archive+".stamp", []byte(stamp), 0o644); err != nil {
		t.Fatal(err)
	}
	if b.isBuilt(stamp) {
		t.Error("a stamp without its archive looks like a built image")
	}
	if err := os.WriteFile(b.archive, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if !b.isBuilt(stamp) || b.isBuilt("another") {
		t.Error("the stamp does not decide whether the image is built")
	}
}

// Go's module cache keeps no modes, so that programs are known by their folder.
func TestModes(t *testing.T) {
	source := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(source, []byte("x"), 0o444); err != nil {
		t.Fatal(err)
	}
	var content bytes.Buffer
	if err := writeFiles(&content, map[string]string{"usr/local/bin/p": source, "etc/c": source}); err != nil {
		t.Fatal(err)
	}
	archive := tar.NewReader(&content)
	for _, want := range []struct {
		name string
		mode int64
	}{{"etc/c", 0o644}, {"usr/local/bin/p", 0o755}} {
		h, err := archive.Next()
		if err != nil || h.Name != want.name || h.Mode != want.mode || h.Uid != 0 {
			t.Errorf("%+v, %v; want %+v", h, err, want)
		}
	}
	if _, err := archive.Next(); err != io.EOF {
		t.Errorf("more than two files: %v", err)
	}
}

// What sudo has made is the caller's then, whole and under its name alone.
func TestTakeOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "base.tar")
	if err := os.WriteFile(path, []byte("a file system"), 0o644); err != nil {
		t.Fatal(err)
	}
	const nobody = 65534
	if os.Geteuid() == 0 {
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	if err := takeOver(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; int(uid) != os.Geteuid() {
		t.Errorf("it belongs to %d", uid)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "a file system" {
		t.Errorf("%q is in it; %v", got, err)
	}
	if all, err := filepath.Glob(path + "*"); err != nil || len(all) != 1 {
		t.Errorf("%q are there; %v", all, err)
	}
}
