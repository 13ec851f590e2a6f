package detectortest

import (
	"context"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/cases"
	"github.com/netfault/netfault/detectors/evidence"
)

// needed are the files of a bundle that the detector needs and reads, sorted.
func needed(t *testing.T, d detectors.Detector, files fstest.MapFS) []string {
	t.Helper()
	var all []string
	for file := range reads(t, d, files) {
		if files[file] == nil {
			continue
		}
		for _, n := range d.Needs {
			if !n.Optional && matches(n, file) {
				all = append(all, file)
			}
		}
	}
	slices.Sort(all)
	return all
}

func nameless(d detectors.Detector, file string) bool {
	return slices.ContainsFunc(d.Needs, func(n detectors.Need) bool { return n.Nameless && matches(n, file) })
}

func matches(n detectors.Need, file string) bool {
	ok, err := path.Match(n.File, file)
	return err == nil && ok
}

// absence spoils each file that the detector needs, one at a time: it must never be clean then, and every problem must stay or
// leave something unknown. A file that is exchanged with another node's may be as healthy as that one, so that a bundle which
// was clean may be so again; one in which a fault shows must not make it clean, unless nothing in it tells whose it is.
func absence(t *testing.T, d detectors.Detector, c cases.Case) {
	before := judge(t.Context(), d, c.Files)
	if len(before) == 0 || before[0].Verdict != detectors.Problem && before[0].Verdict != detectors.Clean {
		return
	}
	for _, file := range needed(t, d, c.Files) {
		data := c.Files[file].Data
		spoilt := map[string]fstest.MapFS{
			"dropped": with(c.Files, file, nil),
			"emptied": with(c.Files, file, []byte{}),
		}
		if cut := cases.Half(data); len(cut) > 0 && len(cut) < len(data) {
			spoilt["cut off"] = with(c.Files, file, cut)
		}
		if other := twin(c.Files, file); other != "" && before[0].Verdict == detectors.Problem && !nameless(d, file) {
			spoilt["exchanged"] = with(with(c.Files, file, c.Files[other].Data), other, data)
		}
		for how, files := range spoilt {
			after := judge(t.Context(), d, files)
			if after[0].Verdict == detectors.Clean || after[0].Verdict == detectors.NotApplicable {
				t.Errorf("%s %s: %s: %s%s", file, how, after[0].Verdict, after[0].Summary, hints[how])
			}
			for _, f := range before {
				if f.Verdict == detectors.Problem && how != "exchanged" && !stays(f, after) {
					t.Errorf("%s %s: %s is gone, and nothing is unknown", file, how, f.ID)
				}
			}
		}
	}
}

// undeclared takes from a bundle all files that the detector does not declare to need, one at a time and all together: it must say
// the same. What another detector needs is no reason to be unknown. A node stays a node, though nothing of it is left.
func undeclared(t *testing.T, d detectors.Detector, c cases.Case) {
	before := Render(judge(t.Context(), d, c.Files))
	without := maps.Clone(c.Files)
	for file := range c.Files {
		// A file may stand in the place of a folder with files that it needs.
		if slices.ContainsFunc(d.Needs, func(n detectors.Need) bool {
			return matches(n, file) || matches(detectors.Need{File: path.Dir(n.File)}, file)
		}) {
			continue
		}
		files := with(c.Files, file, nil)
		delete(without, file)
		if parts := strings.SplitN(file, "/", 3); parts[0] == "nodes" && len(parts) == 3 {
			folder := path.Join(parts[:2]...)
			files[folder], without[folder] = &fstest.MapFile{Mode: fs.ModeDir}, &fstest.MapFile{Mode: fs.ModeDir}
		}
		if after := Render(judge(t.Context(), d, files)); after != before {
			t.Errorf("without %s, which it does not need:\n%s\nwant\n%s", file, after, before)
		}
	}
	if after := Render(judge(t.Context(), d, without)); after != before {
		t.Errorf("without all that it does not need:\n%s\nwant\n%s", after, before)
	}
}

// hints say what a detector may do about it.
var hints = map[string]string{
	"exchanged": " (with another node's: see by what is in it that it is not this node's, or say Nameless in Needs)",
}

// twin is the same file of another node, "" if there is none.
func twin(files fstest.MapFS, file string) string {
	parts := strings.SplitN(file, "/", 3)
	if len(parts) < 3 || parts[0] != "nodes" {
		return ""
	}
	var names []string
	for f := range files {
		if p := strings.SplitN(f, "/", 3); len(p) == 3 && p[0] == "nodes" && p[1] != parts[1] && p[2] == parts[2] {
			names = append(names, f)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return slices.Min(names)
}

func stays(f detectors.Finding, after []detectors.Finding) bool {
	return slices.ContainsFunc(after, func(a detectors.Finding) bool { return a.ID == f.ID || a.Verdict == detectors.Unknown })
}

// needs holds that the detector reads the files that it declares, over all cases, and no others.
func needs(t *testing.T, d detectors.Detector, all []cases.Case) {
	read := map[string]bool{}
	for _, c := range append(all, cases.Case{Name: "healthy", Files: cases.Healthy()}) {
		// Whoever runs detectors reads something for the report.
		forReport := reads(t, detectors.Detector{Detect: func(context.Context, *evidence.Bundle) []detectors.Finding { return nil }}, c.Files)
		for file := range reads(t, d, c.Files) {
			read[file] = true
			if !forReport[file] && !slices.ContainsFunc(d.Needs, func(n detectors.Need) bool { return matches(n, file) }) {
				t.Errorf("%s: reads %s, which it does not declare to need", c.Name, file)
			}
		}
	}
	for _, n := range d.Needs {
		used := false
		for file := range read {
			used = used || matches(n, file)
		}
		if !used {
			t.Errorf("it declares to need %s, and reads it in no case", n.File)
		}
	}
}

// reads are the files that the detector opens in a bundle, be they there or not.
func reads(t *testing.T, d detectors.Detector, files fstest.MapFS) map[string]bool {
	t.Helper()
	w := &watchedFS{FS: files, opened: map[string]bool{}}
	detectors.Run(t.Context(), evidence.New(w), []detectors.Detector{d})
	return w.opened
}

// watchedFS notes which files are opened, be they there or not; folders do not count.
type watchedFS struct {
	fs.FS
	mu     sync.Mutex
	opened map[string]bool
}

func (w *watchedFS) Open(name string) (fs.File, error) {
	f, err := w.FS.Open(name)
	// The names of files have an ending; what has none was looked for as a folder. Why a file is missing is no part of what a
	// detector judges.
	folder := path.Ext(name) == "" || path.Base(name) == evidence.ErrorsFile
	if err == nil {
		if info, err := f.Stat(); err == nil {
			folder = folder || info.IsDir()
		}
	}
	if folder {
		return f, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opened[name] = true
	return f, err
}
