package evidence

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestRuleFile(t *testing.T) {
	b := bundleOf("nodes/n1/iptables-nft-save.txt", "# nothing\n", "nodes/n1/iptables-legacy-save.txt", "")
	text, err := b.RuleFile("n1", NFTFile)
	if text != "# nothing\n" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	_, err = b.RuleFile("n1", LegacyFile)
	wantFileError(t, err, "nodes/n1/iptables-legacy-save.txt", "empty")
	if _, err = b.RuleFile("n1", IPTablesFile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	_, err = b.RuleFile("../n1", NFTFile)
	wantFileError(t, err, "nodes", "not a node name")
}

// A file that is too long is refused by its size, and not read first.
func TestRuleFileTooLong(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "nodes", "n1", NFTFile)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(file, []byte("# \n"), 0o644), os.Truncate(file, maxRuleFile+1)); err != nil {
		t.Fatal(err)
	}
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = b.RuleFile("n1", NFTFile)
	runtime.ReadMemStats(&after)
	wantFileError(t, err, "nodes/n1/"+NFTFile, "longer than")
	if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
		t.Errorf("it took %d bytes of memory to refuse it", took)
	}
}
