package detectortest

import (
	"bytes"
	"iter"
	"maps"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/netfault/netfault/detectors/cases"
	"github.com/netfault/netfault/detectors/evidence"
)

// read reads the cases in testdata.
func read(t *testing.T) []cases.Case {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var all []cases.Case
	for _, p := range paths {
		c, err := cases.Read(p)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// with returns the bundle with one file exchanged; nil leaves it out.
func with(files fstest.MapFS, name string, data []byte) fstest.MapFS {
	changed := maps.Clone(files)
	delete(changed, name)
	if data != nil {
		changed[name] = &fstest.MapFile{Data: bytes.Clone(data)}
	}
	return changed
}

// open makes a bundle of files.
func open(files fstest.MapFS) *evidence.Bundle { return evidence.New(files) }

// Bundles yields the bundles of all cases in testdata with their names, for tests of what is a detector's own.
func Bundles(t *testing.T) iter.Seq2[string, fstest.MapFS] {
	t.Helper()
	all := read(t)
	return func(yield func(string, fstest.MapFS) bool) {
		for _, c := range all {
			if !yield(c.Name, c.Files) {
				return
			}
		}
	}
}
