package scenarios_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/gate"
	"github.com/netfault/netfault/framework/lab"
)

// wantOf is what must be said of the bundles that a life of the scenario on this lab has taken into a folder.
func wantOf(s fault.Scenario, l lab.Lab, dir string) (gate.Wanted, error) {
	causes := map[string][]fault.Subject{s.Detector.Name: s.Want(l)}
	faulty, err := gate.SaidOf(l, filepath.Join(dir, fault.FaultyBundle), causes, s.MustFail)
	return gate.Wanted{fault.HealthyBundle: {}, fault.FaultyBundle: faulty, fault.HealedBundle: {}}, err
}

// makeFixture makes a fixture of the folder with a life's bundles: what nothing is said of goes, and what no detector reads.
func makeFixture(dir string, w gate.Wanted) error {
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
	return w.Write(dir)
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
