package evidence

import (
	"errors"
	"io/fs"
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
