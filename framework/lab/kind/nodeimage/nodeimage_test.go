package nodeimage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPluginsArePinnedOnce(t *testing.T) {
	gomod, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "hack", "node-image", "cni-plugins", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "require github.com/containernetworking/plugins " + cniPlugins; !strings.Contains(string(gomod), want) {
		t.Errorf("hack/node-image/cni-plugins/go.mod does not say %q", want)
	}
}

// A kept manifest is read without Go, a module proxy or a network.
func TestFlannelManifestIsKept(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("NETFAULT_CACHE", dir)
	t.Setenv("PATH", "")
	if err := os.Mkdir(filepath.Join(dir, "manifests"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "manifests", "kube-flannel-v0.1.2.yml"), []byte("kind: X\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := FlannelManifest(t.Context(), "v0.1.2"); err != nil || string(got) != "kind: X\n" {
		t.Errorf("%q, %v", got, err)
	}
}
