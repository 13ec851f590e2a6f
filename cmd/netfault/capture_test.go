package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A capture that could not begin leaves no folder behind, which would be a node of which nothing is known.
func TestCaptureThatCannotBegin(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("captures need root")
	}
	bundle := filepath.Join(t.TempDir(), "new", "bundle")
	if out, err := run(t, "capture", "no-such-link", "--bundle", bundle, "--node=n1"); err == nil || !strings.Contains(err.Error(), "no such network interface") {
		t.Errorf("%v\n%s", err, out)
	}
	if left, err := os.ReadDir(filepath.Dir(filepath.Dir(bundle))); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}

	node := filepath.Join(bundle, "nodes", "n1")
	kept := filepath.Join(node, "captures", "no-such-link.pcap")
	if err := os.MkdirAll(node, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, "capture", "no-such-link", "--bundle", bundle, "--node=n1"); err == nil {
		t.Error("it began")
	}
	if left, err := os.ReadDir(node); err != nil || len(left) > 0 {
		t.Errorf("left behind in a node's folder: %v, %v", left, err)
	}

	// A capture that is there is neither written over nor removed.
	if err := os.MkdirAll(filepath.Dir(kept), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kept, []byte("an earlier one"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, "capture", "no-such-link", "--bundle", bundle, "--node=n1"); err == nil {
		t.Error("it began")
	}
	if text, err := os.ReadFile(kept); err != nil || string(text) != "an earlier one" {
		t.Errorf("%q, %v", text, err)
	}
}
