package main

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// run runs netfault and returns what it prints.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := newRoot()
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

const recorded = "../../fixtures/bundles/stale-vtep/faulty"

func TestAnonymise(t *testing.T) {
	for name, to := range map[string]string{"new": filepath.Join(t.TempDir(), "new"), "empty": t.TempDir()} {
		out, err := run(t, "anonymise", recorded, "-o", to)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		if strings.Contains(out, "left out") {
			t.Errorf("%s: something of a recorded bundle is left out:\n%s", name, out)
		}
		was, _ := run(t, "detect", "--bundle", recorded, "-o", "json")
		is, _ := run(t, "detect", "--bundle", to, "-o", "json")
		if count := strings.Count(was, `"verdict"`); count == 0 || count != strings.Count(is, `"verdict"`) || was == is {
			t.Errorf("%s: was judged\n%s\nis judged\n%s", name, was, is)
		}
		if _, err := run(t, "anonymise", recorded, "-o", to); err == nil || !strings.Contains(err.Error(), "not empty") {
			t.Errorf("%s: the second time: %v", name, err)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(to), ".netfault-*")); len(left) > 0 {
			t.Errorf("%s: left behind: %v", name, left)
		}
	}
}

// What netfault does not know is named; where it makes another verdict, nothing is written.
func TestAnonymiseLeavesOut(t *testing.T) {
	copied := func(t *testing.T) string {
		from := filepath.Join(t.TempDir(), "bundle")
		if err := os.CopyFS(from, os.DirFS(recorded)); err != nil {
			t.Fatal(err)
		}
		return from
	}
	write := func(t *testing.T, dir, file, text string) {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("unknown", func(t *testing.T) {
		from, to := copied(t), filepath.Join(t.TempDir(), "to")
		write(t, from, "nodes/n1/dmesg.txt", "secret\n")
		out, err := run(t, "anonymise", from, "-o", to)
		if err != nil || !strings.Contains(out, "left out nodes/n1/dmesg.txt: ") {
			t.Errorf("%v: %s", err, out)
		}
		if found, _ := fs.Glob(os.DirFS(to), "nodes/*/dmesg.txt"); len(found) > 0 {
			t.Errorf("it is there: %v", found)
		}
	})
	t.Run("another verdict", func(t *testing.T) {
		from, to := copied(t), filepath.Join(t.TempDir(), "to")
		// evidence reads what follows such a link, and re-keying does not.
		if err := os.Rename(filepath.Join(from, "nodes/n2/ip-neigh.json"), filepath.Join(from, "neigh")); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("../../neigh", filepath.Join(from, "nodes/n2/ip-neigh.json")); err != nil {
			t.Fatal(err)
		}
		_, err := run(t, "anonymise", from, "-o", to)
		if err == nil || !strings.Contains(err.Error(), "nothing is written") || !strings.Contains(err.Error(), "nodes/n2/ip-neigh.json: not a regular file") {
			t.Errorf("got %v", err)
		}
		if entries, _ := os.ReadDir(filepath.Dir(to)); len(entries) > 0 {
			t.Errorf("there is %v", entries)
		}
	})
	t.Run("no bundle", func(t *testing.T) {
		if _, err := run(t, "anonymise", t.TempDir(), "-o", filepath.Join(t.TempDir(), "to")); err == nil {
			t.Error("a folder without nodes is no error")
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		to := filepath.Join(t.TempDir(), "to")
		if _, err := anonymise(ctx, recorded, to); err == nil {
			t.Error("a cancelled context is no error")
		}
		if entries, _ := os.ReadDir(filepath.Dir(to)); len(entries) > 0 {
			t.Errorf("there is %v", entries)
		}
	})
}
