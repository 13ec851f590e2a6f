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

// The one command for old nodes, as docs/EVIDENCE.md has it, with a shell in the place of ssh and a stand-in for the collector: what it
// writes arrives, and nothing is left on the node.
func TestCommandForOldNodes(t *testing.T) {
	text, err := os.ReadFile("../../docs/EVIDENCE.md")
	if err != nil {
		t.Fatal(err)
	}
	var command string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "ssh root@NODE ") {
			command = strings.ReplaceAll(line, "ssh root@NODE ", "sh -c ")
		}
	}
	dir, temp := t.TempDir(), t.TempDir()
	for _, folder := range []string{"bundle/nodes/NODE", "bin", "there"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	agent := "#!/bin/sh\n[ \"$*\" = collect ] && cd " + filepath.Join(dir, "there") + " && echo 3.10.0 >uname.txt && exec tar -cf - uname.txt\n"
	if err := os.WriteFile(filepath.Join(dir, "bin", "netfault-agent"), []byte(agent), 0o644); err != nil {
		t.Fatal(err)
	}
	run := exec.Command("sh", "-c", command)
	run.Dir, run.Env = dir, append(os.Environ(), "TMPDIR="+temp)
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", command, err, out)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "bundle/nodes/NODE/uname.txt")); string(got) != "3.10.0\n" {
		t.Errorf("collected %q, %v", got, err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left on the node: %v, %v", left, err)
	}
}
