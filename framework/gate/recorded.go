package gate

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/netfault/netfault/detectors/cases"
)

// The kinds of sources that lie in a checkout.
const (
	Scenario = "scenario"
	Case     = "case"
	Field    = "field"
)

// Recorded returns the bundles in the checkout at dir: those recorded from scenarios, those after reports from the field, and the cases
// of all detectors. hostile is how many cases are not among them, since a hostile text in the place of a name cannot be re-keyed.
func Recorded(dir string) (all []Source, hostile int, err error) {
	for _, f := range []struct{ kind, folder string }{{Scenario, "bundles"}, {Field, "field"}} {
		fixtures, err := filepath.Glob(filepath.Join(dir, "fixtures", f.folder, "*", WantFile))
		if err != nil {
			return nil, 0, err
		}
		for _, want := range fixtures {
			found, err := fixture(f.kind, filepath.Dir(want))
			if err != nil {
				return nil, 0, err
			}
			all = append(all, found...)
		}
	}
	paths, err := filepath.Glob(filepath.Join(dir, "detectors", "*", "testdata", "*.txtar"))
	if err != nil {
		return nil, 0, err
	}
	if len(all) == 0 || len(paths) == 0 {
		return nil, 0, fmt.Errorf("%s is no checkout of netfault: it lacks fixtures or detectors/*/testdata", dir)
	}
	for _, path := range paths {
		s, err := caseAt(path)
		switch {
		case errors.Is(err, errHostile):
			hostile++
		case err != nil:
			return nil, 0, err
		default:
			all = append(all, s)
		}
	}
	return all, hostile, nil
}

// fixture returns the bundles of a fixture's folder.
func fixture(kind, dir string) ([]Source, error) {
	wanted, err := ReadWant(dir)
	if err != nil {
		return nil, err
	}
	var all []Source
	for _, phase := range slices.Sorted(maps.Keys(wanted)) {
		bundle := filepath.Join(dir, phase)
		if info, err := os.Stat(bundle); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("%s speaks of the bundle %s, which is not there", filepath.Join(dir, WantFile), phase)
		}
		all = append(all, Source{
			Kind: kind, Name: filepath.Base(dir), Phase: phase, Want: AnswersOf(wanted[phase]),
			Open: Folder(bundle),
		})
	}
	return all, nil
}

// errHostile says that a case is not one for the gate.
var errHostile = errors.New("hostile")

// caseAt returns the bundle of a case.
func caseAt(path string) (Source, error) {
	c, err := cases.Read(path)
	if err != nil {
		return Source{}, err
	}
	if c.Hostile {
		return Source{}, errHostile
	}
	want := Answers{}
	if err := errors.Join(want.addRendered(c.Want), want.addRendered(c.Others)); err != nil {
		return Source{}, fmt.Errorf("%s: %w", path, err)
	}
	return Source{
		Kind: Case, Name: filepath.Base(filepath.Dir(filepath.Dir(path))) + "/" + c.Name, Want: want,
		// Read again, so that not all bundles are in memory at once.
		Open: func() (fs.FS, error) {
			c, err := cases.Read(path)
			return c.Files, err
		},
	}, nil
}
