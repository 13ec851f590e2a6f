package detectortest

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/cases"
)

// tidy holds that the folder has all that belongs to a detector: for each of its cases a bundle that emits it, a near miss that
// does not, and a heading in both languages.
func tidy(t *testing.T, d detectors.Detector, all []cases.Case) {
	if d.About == "" || strings.ContainsRune(d.About, '\n') {
		t.Error("About is to be one line")
	}
	if len(d.Cases) == 0 || len(d.Needs) == 0 {
		t.Error("a detector has cases, and needs files")
	}
	for _, c := range d.Cases {
		if c.About == "" || c.Severity == "" {
			t.Errorf("case %s: About or Severity is missing", c.Name)
		}
		if emitted, ok := emits(t, d, all, c.Name); !ok || !emitted {
			t.Errorf("no testdata/%s.txtar that emits the case", c.Name)
		}
		if emitted, ok := emits(t, d, all, c.Name+"-near"); !ok || emitted {
			t.Errorf("no testdata/%s-near.txtar that nearly emits the case, and does not", c.Name)
		}
	}
	if packageName := strings.ReplaceAll(d.Name, "-", ""); !inFolder(t, packageName) {
		t.Errorf("detector %s is not in a folder named %s", d.Name, packageName)
	}
	TidyWriteup(t, d.Writeup.English, d.Writeup.Chinese, caseNames(d))
	FilledIn(t, ".")
}

// FilledIn holds that nothing in a folder is as hack/new-fault has made it.
func FilledIn(t *testing.T, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if i := bytes.Index(text, []byte("FILL "+"IN")); i >= 0 {
			t.Errorf("%s, line %d, says FILL "+"IN", path, 1+bytes.Count(text[:i], []byte("\n")))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func caseNames(d detectors.Detector) []string {
	var names []string
	for _, c := range d.Cases {
		names = append(names, c.Name)
	}
	return names
}

func inFolder(t *testing.T, name string) bool {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return strings.HasSuffix(dir, "/"+name)
}

// emits reports whether the file of that name makes the detector report the case that it is named after; ok is false if there
// is none.
func emits(t *testing.T, d detectors.Detector, all []cases.Case, file string) (emitted, ok bool) {
	t.Helper()
	i := slices.IndexFunc(all, func(c cases.Case) bool { return c.Name == file })
	if i < 0 {
		return false, false
	}
	name := strings.TrimSuffix(file, "-near")
	return slices.ContainsFunc(judge(t.Context(), d, all[i].Files), func(f detectors.Finding) bool {
		return f.Verdict == detectors.Problem && f.Case == name
	}), true
}

// TidyWriteup holds that a text in two languages says the same: the same headings in the same order, where those of the third
// level are the same words and are names, and the same blocks of code.
func TidyWriteup(t *testing.T, english, chinese string, names []string) {
	t.Helper()
	en, zh := outlineOf(english), outlineOf(chinese)
	if len(en.headings) == 0 || en.headings[0].level != 1 {
		t.Error("README.md does not begin with a heading")
	}
	if len(en.headings) != len(zh.headings) {
		t.Errorf("README.md has %d headings, README.zh.md %d", len(en.headings), len(zh.headings))
	}
	for i := range min(len(en.headings), len(zh.headings)) {
		a, b := en.headings[i], zh.headings[i]
		if a.level != b.level || a.level == 3 && a.text != b.text {
			t.Errorf("heading %d is %q in README.md and %q in README.zh.md", i+1, a.text, b.text)
		}
	}
	for _, name := range names {
		if !slices.Contains(en.headings, heading{3, name}) {
			t.Errorf("README.md has no heading ### %s", name)
		}
	}
	if !slices.Equal(en.code, zh.code) {
		t.Errorf("README.md and README.zh.md have other blocks of code: %q and %q", en.code, zh.code)
	}
}

type heading struct {
	level int
	text  string
}

type outline struct {
	headings []heading
	code     []string
}

// outlineOf reads the headings and the blocks of code of a text in Markdown.
func outlineOf(markdown string) outline {
	var o outline
	source := []byte(markdown)
	root := goldmark.DefaultParser().Parse(text.NewReader(source))
	for n := root.FirstChild(); n != nil; n = n.NextSibling() {
		switch n := n.(type) {
		case *ast.Heading:
			o.headings = append(o.headings, heading{n.Level, string(bytes.Trim(n.Lines().Value(source), "` "))})
		case *ast.FencedCodeBlock:
			o.code = append(o.code, string(n.Lines().Value(source)))
		}
	}
	return o
}
