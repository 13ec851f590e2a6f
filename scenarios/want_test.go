package scenarios_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/sourceaddress"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/gate"
	"github.com/netfault/netfault/framework/lab"
)

// wantOf is what must be said of the bundles that a life of the scenario on this lab has taken into a folder: the scenario says it of
// its cause, and which of the probes in the faulty bundle show the symptom.
func wantOf(s fault.Scenario, l lab.Lab, dir string) (gate.Wanted, error) {
	w := gate.Wanted{"healthy": {}, "faulty": {}, "healed": {}}
	for _, subject := range s.Want(l) {
		w["faulty"] = append(w["faulty"], gate.Said{Detector: s.Detector.Name, Case: subject.Case, Node: subject.Node, Peer: subject.Peer})
	}
	if s.MustFail == nil {
		return w, nil
	}
	b, err := evidence.Open(filepath.Join(dir, "faulty"))
	if err != nil {
		return nil, err
	}
	defer b.Close()
	probes, err := b.Probes()
	for _, p := range probes {
		if said := symptomOf(p); s.MustFail(l, p) && !slices.Contains(w["faulty"], said) {
			w["faulty"] = append(w["faulty"], said)
		}
	}
	return w, err
}

// symptomOf is what must be said of a probe that a fault breaks.
func symptomOf(p evidence.Probe) gate.Said {
	if p.OK {
		return gate.Said{Detector: sourceaddress.Detector.Name, Case: "changed", Node: p.From, Peer: p.To}
	}
	return gate.Said{Detector: p.Kind + "-reachability", Case: "no-answer", Node: p.From, Peer: p.To}
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
