// Package cases reads the cases of detectors: bundles as files of text, each with what must be said of it. They lie in testdata of
// each detector's folder, and serve its tests (package detectortest) and the gate.
package cases

import (
	"bytes"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing/fstest"

	"golang.org/x/tools/txtar"
)

// Case is one file of testdata: a bundle, as it differs from the healthy one, and what detectors must say of it.
//
//	Any lines that tell a reader what this is.
//	base none                                      the bundle is not the healthy one, but all of it stands here
//	without nodes/n1/sysctl.txt                    the file is left out
//	without nodes/n3                               so is the folder
//	copy ../x.pcap nodes/n1/captures/eth0.pcap     a file that is no text, by its path from the detector's folder
//	cut nodes/n1/sysctl.txt                        a file ends in its middle
//	hostile                                        it has texts that are no names, which a re-keyed bundle has not
//	-- want --
//	what detectortest.Render writes of the findings of the folder's detector
//	-- others --
//	"VERDICT ID" of each problem and each unknown of the other detectors; who has none finds nothing
//	-- nodes/n2/ip-neigh.json --
//	a file as it is in this bundle
//	-- patch nodes/n1/iptables-nft-save.txt --
//	 a line of the healthy bundle's file, to find the place
//	-a line that is not there
//	+a line that is there instead
type Case struct {
	// Name is the file's, without its ending.
	Name string
	// Path is the file.
	Path string
	// Files are the bundle.
	Files fstest.MapFS
	// Want is the part of that name, and Others too; both are empty where the file has none.
	Want, Others string
	// Hostile is the word of that name.
	Hostile bool

	archive *txtar.Archive
}

// The parts of a case that are no files of the bundle.
const (
	wantPart   = "want"
	othersPart = "others"
	// patchPrefix begins the name of a part that changes some lines of a file of the healthy bundle.
	patchPrefix = "patch "
)

// Read reads the case in the file at path, DETECTOR/testdata/NAME.txtar.
func Read(path string) (Case, error) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		return Case{}, err
	}
	c := Case{Name: strings.TrimSuffix(filepath.Base(path), ".txtar"), Path: path, Files: Healthy(), archive: archive}
	if err := c.prepare(); err != nil {
		return Case{}, fmt.Errorf("%s: %w", path, err)
	}
	for _, f := range archive.Files {
		if err := c.add(f); err != nil {
			return Case{}, fmt.Errorf("%s: %w", path, err)
		}
	}
	for words := range c.words() {
		if len(words) == 2 && words[0] == "cut" {
			f := c.Files[words[1]]
			if f == nil {
				return Case{}, fmt.Errorf("%s: cut %s: there is no such file", path, words[1])
			}
			c.Files[words[1]] = &fstest.MapFile{Data: Half(f.Data)}
		}
	}
	return c, nil
}

// words yields the words of each line above the parts.
func (c *Case) words() iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for line := range strings.Lines(string(c.archive.Comment)) {
			if !yield(strings.Fields(line)) {
				return
			}
		}
	}
}

// prepare does what is said of the bundle as a whole, before files are put into it.
func (c *Case) prepare() error {
	for words := range c.words() {
		switch {
		case len(words) == 2 && words[0] == "base" && words[1] == "none":
			c.Files = fstest.MapFS{}
		case len(words) == 1 && words[0] == "hostile":
			c.Hostile = true
		case len(words) == 2 && words[0] == "without":
			if !c.leaveOut(words[1]) {
				return fmt.Errorf("without %s: there is no such file", words[1])
			}
		case len(words) == 3 && words[0] == "copy":
			data, err := os.ReadFile(filepath.Join(filepath.Dir(c.Path), "..", filepath.FromSlash(words[1])))
			if err != nil {
				return err
			}
			c.Files[words[2]] = &fstest.MapFile{Data: data}
		}
	}
	return nil
}

// leaveOut removes a file, or all of a folder.
func (c *Case) leaveOut(name string) bool {
	found := false
	for file := range c.Files {
		if file == name || strings.HasPrefix(file, name+"/") {
			delete(c.Files, file)
			found = true
		}
	}
	return found
}

// add puts one part of the file into the case.
func (c *Case) add(f txtar.File) error {
	patched, isPatch := strings.CutPrefix(f.Name, patchPrefix)
	switch {
	case f.Name == wantPart:
		c.Want = string(f.Data)
	case f.Name == othersPart:
		c.Others = string(f.Data)
	case isPatch && c.Files[patched] == nil:
		return fmt.Errorf("%q: there is no such file", f.Name)
	case isPatch:
		text, err := patch(string(c.Files[patched].Data), string(f.Data))
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		c.Files[patched] = &fstest.MapFile{Data: []byte(text)}
	default:
		c.Files[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	return nil
}

// Half is the first half of a file, which ends in the middle of a line where it has any.
func Half(data []byte) []byte {
	return bytes.TrimSuffix(data[:len(data)/2], []byte("\n"))
}

// SetWant writes what the folder's detector must say into the file.
func (c *Case) SetWant(text string) error { return c.set(wantPart, 0, text) }

// SetOthers writes what the other detectors must say into the file.
func (c *Case) SetOthers(text string) error { return c.set(othersPart, 1, text) }

// set writes a part, which stands at that place if the file has none yet. One without text goes.
func (c *Case) set(part string, place int, text string) error {
	c.archive.Files = slices.DeleteFunc(c.archive.Files, func(f txtar.File) bool { return f.Name == part })
	if text != "" {
		place = min(place, len(c.archive.Files))
		c.archive.Files = slices.Insert(c.archive.Files, place, txtar.File{Name: part, Data: []byte(text)})
	}
	return os.WriteFile(c.Path, txtar.Format(c.archive), 0o644)
}
