package main

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netfault/netfault/framework/lab/kind/nodeimage"
)

func TestKubernetesIsPinnedOnce(t *testing.T) {
	pinned, err := requiredVersion(filepath.Join("kubernetes", "go.mod"), "k8s.io/kubernetes")
	if err != nil || pinned != nodeimage.Kubernetes {
		t.Errorf("kubernetes/go.mod pins %q, %v; the node image is named after %s", pinned, err, nodeimage.Kubernetes)
	}
}

func TestEtcdAndCoreDNSAreKubeadms(t *testing.T) {
	b := builder{source: "."}
	// What kubeadm v1.34.4 lists.
	wanted := []string{"registry.k8s.io/coredns/coredns:v1.12.1", "registry.k8s.io/pause:3.10.1", "registry.k8s.io/etcd:3.6.5-0"}
	if err := b.checkVersions(wanted); err != nil {
		t.Error(err)
	}
	wanted[2] = "registry.k8s.io/etcd:3.6.6-0"
	if err := b.checkVersions(wanted); err == nil || !strings.Contains(err.Error(), "3.6.6") {
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
