package collect

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netfault/netfault/detectors/evidence"
)

// The script takes the node names that detect takes, and no others. Where the folder is there already it collects nothing.
func TestScriptNodeNames(t *testing.T) {
	path, err := filepath.Abs("../../hack/collect-evidence.sh")
	if err != nil {
		t.Fatal(err)
	}
	label := strings.Repeat("a", 63)
	for _, name := range []string{
		"n1", "1", "a-b", "a--b", "node.example.com", "10.0.0.1", label + "." + label, strings.Repeat("a", 253),
		".", "..", "-", "a.", ".a", "a-", "-a", "a..b", "a.-b", "a-.b", "N1", "a_b", "a/b", "a b", "a\nb", "a\n", "ä",
		"../../etc", "*", "$(id)", strings.Repeat("a", 254), strings.Repeat("a.", 126) + "aa",
	} {
		dir := t.TempDir()
		valid := evidence.CheckNodeName(name) == nil
		if valid {
			if err := os.MkdirAll(filepath.Join(dir, "nodes", name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		out, err := exec.Command("sh", path, dir, name).CombinedOutput()
		refused := strings.Contains(string(out), "is not a node name")
		if err == nil || refused == valid {
			t.Errorf("%q: refused is %t, and detect takes it is %t: %v, %s", name, refused, valid, err, out)
		}
	}
}
