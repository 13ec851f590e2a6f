// Package largereachability recognises by probes whether packets of pods' full size get from node to node.
package largereachability

import (
	_ "embed"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/internal/probes"
)

var (
	//go:embed README.md
	english string
	//go:embed README.zh.md
	chinese string
)

// Detector reports each pair of ends between which a probe with packets of full size got no answer.
var Detector = probes.Reachability(evidence.ProbeLarge,
	"packets as large as pods may send get from node to node",
	"pod on %s gets no answer from pod on %s with packets of full size",
	detectors.Writeup{English: english, Chinese: chinese})
