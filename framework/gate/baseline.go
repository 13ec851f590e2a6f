package gate

import (
	"math/rand/v2"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/fault"
)

// Baseline is what one reaches who looks at nothing, so that a detector's number means something.
type Baseline struct {
	Name   string `json:"name"`
	Scores Scores `json:"scores"`

	says guesswork
}

// guesswork answers for a detector without looking, of a bundle with these nodes.
type guesswork func(d detectors.Detector, nodes []string, r *rand.Rand) Answer

// baselines are those that are scored beside a detector.
func baselines() []Baseline {
	return []Baseline{
		{Name: "always clean", says: func(detectors.Detector, []string, *rand.Rand) Answer { return Answer{} }},
		{Name: "always a problem", says: func(d detectors.Detector, nodes []string, _ *rand.Rand) Answer {
			return problem(d.Cases[0], nodes, 0, 1)
		}},
		{Name: "one at random", says: func(d detectors.Detector, nodes []string, r *rand.Rand) Answer {
			switch r.IntN(3) {
			case 0:
				return Answer{}
			case 1:
				return Answer{Unknown: true}
			}
			return problem(d.Cases[r.IntN(len(d.Cases))], nodes, r.IntN(len(nodes)+1), r.IntN(len(nodes)+1))
		}},
	}
}

// problem is one with the nodes of these numbers, or without where there is none of that number.
func problem(c detectors.Case, nodes []string, node, peer int) Answer {
	s := fault.Subject{Case: c.Name}
	if node < len(nodes) {
		s.Node = nodes[node]
	}
	if peer < len(nodes) && peer != node {
		s.Peer = nodes[peer]
	}
	return Answer{Problems: []fault.Subject{s}}
}
