package scenarios_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/lab"
)

// wantFile lies beside the bundles of a fixture and says what must be reported on each.
const wantFile = "want.json"

// wanted is what must be reported on each bundle of a fixture, by the bundle's name: all problems of causes, in the report's
// order, or nothing at all.
type wanted map[string][]problem

// problem is what a finding of a cause names.
type problem struct {
	Detector string `json:"detector"`
	Case     string `json:"case"`
	Node     string `json:"node,omitempty"`
	Peer     string `json:"peer,omitempty"`
}

// wantOf is what must be reported on the bundles that a life of the scenario on this lab has taken.
func wantOf(s fault.Scenario, l lab.Lab) wanted {
	w := wanted{"healthy": {}, "faulty": {}, "healed": {}}
	for _, subject := range s.Want(l) {
		w["faulty"] = append(w["faulty"], problem{s.Detector.Name, subject.Case, subject.Node, subject.Peer})
	}
	return w
}

// makeFixture makes a fixture of the folder with a life's bundles: what nothing is said of goes, and what no detector reads.
func makeFixture(dir string, w wanted) error {
	bundles, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, b := range bundles {
		if _, ok := w[b.Name()]; !ok {
			err = os.RemoveAll(filepath.Join(dir, b.Name()))
		} else {
			err = dropUnread(filepath.Join(dir, b.Name()))
		}
		if err != nil {
			return err
		}
	}
	data, err := json.MarshalIndent(w, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, wantFile), append(data, '\n'), 0o644)
}

// dropUnread removes the files of a bundle that no detector reads.
func dropUnread(bundle string) error {
	return filepath.WalkDir(bundle, func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		inside, err := filepath.Rel(bundle, file)
		if err != nil || isRead(filepath.ToSlash(inside)) {
			return err
		}
		return os.Remove(file)
	})
}

// isRead says that a detector reads the file of a bundle.
func isRead(file string) bool {
	return slices.ContainsFunc(all.Detectors(), func(d detectors.Detector) bool {
		return slices.ContainsFunc(d.Needs, func(n detectors.Need) bool {
			matched, err := path.Match(n.File, file)
			return err == nil && matched
		})
	})
}

// readWant reads what a fixture must say.
func readWant(dir string) (wanted, error) {
	data, err := os.ReadFile(filepath.Join(dir, wantFile))
	if err != nil {
		return nil, err
	}
	var w wanted
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err = d.Decode(&w)
	return w, err
}
