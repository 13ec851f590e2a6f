// Package servicereachability recognises by probes whether pods reach a Service whose pod is on another node.
package servicereachability

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
var Detector = probes.Reachability(evidence.ProbeService,
	"pods reach a Service whose pod is on another node",
	"pod on %s gets no answer from the Service of the pod on %s",
	detectors.Writeup{English: english, Chinese: chinese})
