package rekey_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/rekey"
)

// judged returns the report of all detectors on a bundle, as it is in JSON. Fingerprints are hashes of names.
func judged(t *testing.T, fsys fs.FS) any {
	t.Helper()
	text, err := json.Marshal(detectors.Run(t.Context(), evidence.New(fsys), all.Detectors()))
	if err != nil {
		t.Fatal(err)
	}
	var report any
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	return mapped(report, func(s string) string { return s })
}

// mapped returns a JSON value with other strings.
func mapped(v any, to func(string) string) any {
	switch v := v.(type) {
	case string:
		return to(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = mapped(v[i], to)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			if k != "fingerprint" {
				out[k] = mapped(e, to)
			}
		}
		return out
	}
	return v
}

func indented(t *testing.T, v any) string {
	t.Helper()
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// keys are several, so that no choice of new names is right by chance.
func keys(count int) (out []rekey.Key) {
	for i := range count {
		out = append(out, rekey.Key{byte(i + 1), 7})
	}
	return out
}

// rekeyed returns the re-keyed bundle.
func rekeyed(t *testing.T, fsys fs.FS, key rekey.Key) (fstest.MapFS, *rekey.Names, []rekey.LeftOut) {
	t.Helper()
	out := fstest.MapFS{}
	names, left, err := rekey.Bundle(t.Context(), fsys, key, func(file string, data []byte) error {
		if out[file] != nil {
			t.Errorf("%s is written twice", file)
		}
		out[file] = &fstest.MapFile{Data: data, Mode: 0o644}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, names, left
}

// bundles calls each with every recorded bundle.
func bundles(t *testing.T, each func(t *testing.T, fsys fs.FS)) {
	t.Helper()
	found, err := filepath.Glob("../../fixtures/*/*/*")
	if err != nil || len(found) == 0 {
		t.Fatal("no recorded bundles", err)
	}
	for _, dir := range found {
		info, err := os.Stat(dir)
		if err != nil || !info.IsDir() {
			continue
		}
		t.Run(path.Join(filepath.Base(filepath.Dir(dir)), filepath.Base(dir)), func(t *testing.T) { each(t, os.DirFS(dir)) })
	}
}

// diff shows the first lines that differ.
func diff(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	var out []string
	for i := range max(len(w), len(g)) {
		a, b := "", ""
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			out = append(out, fmt.Sprintf("line %d:\n  want %s\n  got  %s", i+1, a, b))
		}
	}
	return strings.Join(out[:min(len(out), 5)], "\n")
}

// contents returns all files of a bundle.
func contents(t *testing.T, fsys fs.FS) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			data, readErr := fs.ReadFile(fsys, p)
			files[p], err = string(data), readErr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func sortedKeys[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
