package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netfault/netfault/framework/lab/owner"
	"github.com/netfault/netfault/framework/labs"
)

// Labs of which only the folder is there tell what reset says before it does anything.
func TestResetSaysFirst(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the folders of labs are root's")
	}
	this, err := owner.This()
	if err != nil {
		t.Fatal(err)
	}
	// folder makes a lab's folder with a record and a journal.
	folder := func(name string, of owner.Process, journal string) labs.Found {
		f := labs.Found{Kind: labs.KIND, Name: fmt.Sprintf("reset-%s-%d", name, os.Getpid())}
		if err := os.MkdirAll(f.StateDir(), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := os.RemoveAll(f.StateDir()); err != nil {
				t.Error(err)
			}
			_ = os.Remove(filepath.Dir(f.StateDir())) // unless other labs are there
		})
		if err := owner.WriteRecord(f.StateDir(), map[string]any{"name": f.Name, "made": true, "owner": of}); err != nil {
			t.Fatal(err)
		}
		if journal != "" {
			if err := os.WriteFile(filepath.Join(f.StateDir(), "journal.json"), []byte(journal), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return f
	}
	held, owned, poisoned := folder("held", owner.Process{}, ""), folder("owned", this, ""), folder("poisoned", owner.Process{}, "{")
	k, err := held.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer k.Release()

	var out bytes.Buffer
	err = resetAll(t.Context(), &out, []labs.Found{held, owned, poisoned}, true)
	for _, want := range []string{
		fmt.Sprintf("lab %s: left alone; in use by process %d (", held.Name, os.Getpid()),
		fmt.Sprintf("lab %s: left alone; it belongs to process %d (", owned.Name, os.Getpid()),
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q does not say %q", &out, want)
		}
	}
	for _, want := range []string{"nobody knows what to undo", "`netfault lab down --lab=" + poisoned.Name + "`"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error %v does not say %q", err, want)
		}
	}
	if err != nil && strings.Contains(err.Error(), held.Name) {
		t.Errorf("one of many that is in use is no error: %v", err)
	}
	err = resetAll(t.Context(), &out, []labs.Found{held}, false)
	if err == nil || !strings.Contains(err.Error(), "in use by process") {
		t.Errorf("the one that was asked for is in use: %v", err)
	}
	// What was planned is not locked any more.
	again, err := poisoned.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Release(); err != nil {
		t.Error(err)
	}
}
