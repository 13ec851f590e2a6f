package iptables

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Rewrite changes nothing by itself, and every word is handed out once.
func TestRewriteChangesNothing(t *testing.T) {
	files, err := filepath.Glob("../../fixtures/bundles/*/faulty/nodes/*/iptables-*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no rules", err)
	}
	texts := []string{
		"", "\n", "#", "*nat\nCOMMIT", "*nat\n:A - [0:0]\n[1:2] -A A  -m comment --comment \"a \\\" \nb\" -j  ACCEPT \nCOMMIT\n",
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(data))
	}
	for _, text := range texts {
		if _, err := Parse(NFT, text); err != nil {
			t.Fatal(err)
		}
		same := func(line string) string { return line }
		if got := Rewrite(text, same, func([]Word) {}); got != text {
			t.Errorf("%q became %q", text, got)
		}
		comments, words := 0, 0
		Rewrite(text, func(line string) string { comments++; return line }, func(line []Word) { words += len(line) })
		if want := strings.Count("\n"+text, "\n#"); comments != want {
			t.Errorf("%d comments of %d", comments, want)
		}
		if words < strings.Count(text, "\n-A")*4 {
			t.Errorf("only %d words", words)
		}
	}
}
