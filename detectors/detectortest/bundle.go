package detectortest

import (
	"bytes"
	_ "embed"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"github.com/netfault/netfault/detectors/evidence"
)

//go:embed healthy.txtar
var healthy []byte

// Healthy returns the files of a healthy cluster of three nodes, n1 to n3, with pods on docker0 and leases in etcd.
func Healthy() fstest.MapFS {
	files := fstest.MapFS{}
	for _, f := range txtar.Parse(healthy).Files {
		files[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	return files
}

// wantFile is the part of a case that says what must be reported.
const wantFile = "want"

// testCase is one file of testdata: a bundle, as it differs from the healthy one, and what a detector must say of it.
//
//	Any lines that tell a reader what this is.
//	base none                                      the bundle is not the healthy one, but all of it stands here
//	without nodes/n1/sysctl.txt                    the file is left out
//	without nodes/n3                               so is the folder
//	copy ../x.pcap nodes/n1/captures/eth0.pcap     a file that is no text
//	cut nodes/n1/sysctl.txt                        a file ends in its middle
//	hostile                                        it has texts that are no names, which a re-keyed bundle has not
//	-- want --
//	what Render writes of the findings
//	-- nodes/n2/ip-neigh.json --
//	a file as it is in this bundle
//	-- patch nodes/n1/iptables-nft-save.txt --
//	 a line of the healthy bundle's file, to find the place
//	-a line that is not there
//	+a line that is there instead
type testCase struct {
	name, path string
	archive    *txtar.Archive
	files      fstest.MapFS
	want       string
	hostile    bool
}

// cases reads testdata.
func cases(t *testing.T) []testCase {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var all []testCase
	for _, p := range paths {
		c, err := readCase(p)
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		all = append(all, c)
	}
	return all
}

func readCase(path string) (testCase, error) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		return testCase{}, err
	}
	c := testCase{name: strings.TrimSuffix(filepath.Base(path), ".txtar"), path: path, archive: archive, files: Healthy()}
	for line := range strings.Lines(string(archive.Comment)) {
		words := strings.Fields(line)
		switch {
		case len(words) == 2 && words[0] == "base" && words[1] == "none":
			c.files = fstest.MapFS{}
		case len(words) == 1 && words[0] == "hostile":
			c.hostile = true
		case len(words) == 2 && words[0] == "without":
			if !c.leaveOut(words[1]) {
				return c, fmt.Errorf("%q: there is no such file", line)
			}
		case len(words) == 3 && words[0] == "copy":
			data, err := os.ReadFile(filepath.FromSlash(words[1]))
			if err != nil {
				return c, err
			}
			c.files[words[2]] = &fstest.MapFile{Data: data}
		}
	}
	for _, f := range archive.Files {
		if f.Name == wantFile {
			c.want = string(f.Data)
			continue
		}
		if name, ok := strings.CutPrefix(f.Name, patchPrefix); ok {
			if c.files[name] == nil {
				return c, fmt.Errorf("%q: there is no such file", f.Name)
			}
			text, err := patch(string(c.files[name].Data), string(f.Data))
			if err != nil {
				return c, fmt.Errorf("%s: %w", f.Name, err)
			}
			c.files[name] = &fstest.MapFile{Data: []byte(text)}
			continue
		}
		c.files[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	for line := range strings.Lines(string(archive.Comment)) {
		if words := strings.Fields(line); len(words) == 2 && words[0] == "cut" {
			f := c.files[words[1]]
			if f == nil {
				return c, fmt.Errorf("%q: there is no such file", line)
			}
			c.files[words[1]] = &fstest.MapFile{Data: half(f.Data)}
		}
	}
	return c, nil
}

// half is the first half of a file, which ends in the middle of a line where it has any.
func half(data []byte) []byte {
	cut := data[:len(data)/2]
	return bytes.TrimSuffix(cut, []byte("\n"))
}

// leaveOut removes a file, or all of a folder.
func (c *testCase) leaveOut(name string) bool {
	found := false
	for file := range c.files {
		if file == name || strings.HasPrefix(file, name+"/") {
			delete(c.files, file)
			found = true
		}
	}
	return found
}

// setWant writes what must be reported into the file.
func (c *testCase) setWant(want string) error {
	i := slices.IndexFunc(c.archive.Files, func(f txtar.File) bool { return f.Name == wantFile })
	if i < 0 {
		i = 0
		c.archive.Files = slices.Insert(c.archive.Files, 0, txtar.File{Name: wantFile})
	}
	c.archive.Files[i].Data = []byte(want)
	return os.WriteFile(c.path, txtar.Format(c.archive), 0o644)
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

// patchPrefix begins the name of a part that changes some lines of a file of the healthy bundle.
const patchPrefix = "patch "

// patch changes text by the lines of a patch: ' ' stands before one that is there, '-' before one to remove and '+' before one
// to add. Each is looked for behind the last.
func patch(text, lines string) (string, error) {
	rest := strings.SplitAfter(text, "\n")
	var done strings.Builder
	for line := range strings.Lines(lines) {
		mark, content := line[0], line[1:]
		if mark == '+' {
			done.WriteString(content)
			continue
		}
		i := slices.Index(rest, content)
		if i < 0 {
			return "", fmt.Errorf("no line %q behind the last one that was changed", content)
		}
		done.WriteString(strings.Join(rest[:i], ""))
		if mark == ' ' {
			done.WriteString(content)
		}
		rest = rest[i+1:]
	}
	return done.String() + strings.Join(rest, ""), nil
}

// Bundles yields the bundles of all cases in testdata with their names, for tests of what is a detector's own.
func Bundles(t *testing.T) iter.Seq2[string, fstest.MapFS] {
	t.Helper()
	all := cases(t)
	return func(yield func(string, fstest.MapFS) bool) {
		for _, c := range all {
			if !yield(c.name, c.files) {
				return
			}
		}
	}
}
