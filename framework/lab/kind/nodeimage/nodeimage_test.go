package nodeimage

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
	"sigs.k8s.io/kind/pkg/apis/config/defaults"
)

var checkout = filepath.Join("..", "..", "..", "..")

// Every module under hack/node-image builds the version that versions.go names.
func TestModulesFollowVersions(t *testing.T) {
	want := map[string]string{
		"kubernetes": Kubernetes, "etcd": Etcd, "coredns": CoreDNS, "cni-plugins": cniPlugins, "cni-flannel": cniFlannel,
	}
	gomods, err := filepath.Glob(filepath.Join(checkout, "hack", "node-image", "*", "go.mod"))
	if err != nil || len(gomods) != len(want) {
		t.Fatalf("versions.go knows %d modules under hack/node-image, of these: %v, %v", len(want), gomods, err)
	}
	for _, path := range gomods {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := modfile.Parse(path, content, nil)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Base(filepath.Dir(path))
		var required []string
		for _, r := range parsed.Require {
			if !r.Indirect {
				required = append(required, r.Mod.Version)
			}
		}
		if !slices.Equal(required, []string{want[dir]}) {
			t.Errorf("hack/node-image/%s/go.mod requires %v, but versions.go says %q: change one, and run go mod tidy there",
				dir, required, want[dir])
		}
		// Libraries of another Kubernetes would be built in silently.
		libraries := "v0" + strings.TrimPrefix(Kubernetes, "v1")
		for _, r := range parsed.Replace {
			if r.New.Version != libraries {
				t.Errorf("hack/node-image/%s/go.mod replaces %s by %s; Kubernetes %s wants %s there",
					dir, r.Old.Path, r.New.Version, Kubernetes, libraries)
				break // the others are likely to be wrong in the same way
			}
		}
	}
}

// An official node image belongs to one release of kind, so CI's must follow the kind that go.mod requires.
func TestCIRunsOnThisKindsImages(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(checkout, ".github", "workflows", "ci.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), "image: "+defaults.Image+"\n") {
		t.Errorf(".github/workflows/ci.yml does not run on %s, the default of the kind in go.mod: take all its images from the "+
			"notes of that release", defaults.Image)
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
