package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A machine's page is on loopback alone, whoever asks for what.
func TestPublishedIsForContainers(t *testing.T) {
	proc := t.TempDir()
	if err := mustBeInContainer(proc); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what cannot be known: %v", err)
	}
	link := filepath.Join(proc, "self", "ns", "pid")
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("pid:[4026531836]", link); err != nil {
		t.Fatal(err)
	}
	if err := mustBeInContainer(proc); err == nil || !strings.Contains(err.Error(), "leave it out") {
		t.Errorf("on a machine itself: %v", err)
	}
	if err := errors.Join(os.Remove(link), os.Symlink("pid:[4026532201]", link)); err != nil {
		t.Fatal(err)
	}
	if err := mustBeInContainer(proc); err != nil {
		t.Errorf("in a container: %v", err)
	}
}
