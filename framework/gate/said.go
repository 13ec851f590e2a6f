package gate

import (
	"maps"
	"slices"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/sourceaddress"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/lab"
)

// SaidOf is what must be said of a bundle that was taken of a lab while faults were in force: of their causes what the scenarios say,
// by detector, and of the symptom what the probes in the bundle show that must fail.
func SaidOf(l lab.Lab, bundle string, causes map[string][]fault.Subject, mustFail fault.Which) ([]Said, error) {
	said := []Said{}
	for _, detector := range slices.Sorted(maps.Keys(causes)) {
		for _, s := range causes[detector] {
			said = append(said, Said{Detector: detector, Case: s.Case, Node: s.Node, Peer: s.Peer})
		}
	}
	if mustFail == nil {
		return said, nil
	}
	b, err := evidence.Open(bundle)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	probes, err := b.Probes()
	for _, p := range probes {
		if symptom := symptomOf(p); mustFail(l, p) && !slices.Contains(said, symptom) {
			said = append(said, symptom)
		}
	}
	return said, err
}

// symptomOf is what must be said of a probe that a fault breaks.
func symptomOf(p evidence.Probe) Said {
	if p.OK {
		return Said{Detector: sourceaddress.Detector.Name, Case: "changed", Node: p.From, Peer: p.To}
	}
	return Said{Detector: p.Kind + "-reachability", Case: "no-answer", Node: p.From, Peer: p.To}
}
