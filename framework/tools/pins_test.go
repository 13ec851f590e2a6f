package tools

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/modfile"
)

// What etcd and CoreDNS have in common and takes long is compiled once for both, and so must have one version.
func TestSharedModulesHaveOneVersion(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	source, err := SourceDir(here)
	if err != nil {
		t.Fatal(err)
	}
	pins := func(module string) map[string]string {
		path := filepath.Join(source, module, "go.mod")
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := modfile.Parse(path, content, nil)
		if err != nil {
			t.Fatal(err)
		}
		versions := map[string]string{}
		for _, r := range parsed.Require {
			versions[r.Mod.Path] = r.Mod.Version
		}
		return versions
	}
	etcd, coredns := pins(Etcd().module), pins(CoreDNS().module)
	for _, module := range []string{
		"golang.org/x/crypto", "golang.org/x/net", "golang.org/x/sys", "golang.org/x/text",
		"google.golang.org/genproto/googleapis/rpc", "google.golang.org/grpc", "google.golang.org/protobuf",
	} {
		if etcd[module] == "" || etcd[module] != coredns[module] {
			t.Errorf("%s: etcd has %q and CoreDNS %q", module, etcd[module], coredns[module])
		}
	}
}
