// Package nodeportreachability recognises by probes whether hosts outside the cluster reach pods through every node's NodePort.
package nodeportreachability

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
var Detector = probes.Reachability(evidence.ProbeNodePort,
	"hosts outside the cluster reach pods through every node's NodePort",
	"the NodePort on %s gives no answer from the pod on %s",
	detectors.Writeup{English: english, Chinese: chinese})
