// Package podreachability recognises by probes whether pods on one node reach pods on another by their address.
package podreachability

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

// Detector reports each pair of ends between which a probe got no answer.
var Detector = probes.Reachability(evidence.ProbePod,
	"pods on one node reach pods on another by their address",
	"pod on %s gets no answer from pod on %s",
	detectors.Writeup{English: english, Chinese: chinese})
