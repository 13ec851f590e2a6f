// Package egressreachability recognises by probes whether pods reach hosts outside the cluster.
package egressreachability

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
var Detector = probes.Reachability(evidence.ProbeEgress,
	"pods reach hosts outside the cluster",
	"pod on %s gets no answer from %s outside the cluster",
	detectors.Writeup{English: english, Chinese: chinese})
