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
var Detector = detectors.Detector{
	Name:  "nodeport-reachability",
	Kind:  detectors.Symptom,
	About: "hosts outside the cluster reach pods through every node's NodePort",
	Cases: []detectors.Case{
		{Name: probes.Unanswered, Severity: detectors.Critical, About: "a probe got no answer, or not that of the server it was for"},
	},
	Needs:   probes.Needs,
	Writeup: detectors.Writeup{English: english, Chinese: chinese},
	Detect:  probes.Reachability(evidence.ProbeNodePort, "the NodePort on %s gives no answer from the pod on %s").Detect,
}
