// Package sourceaddress recognises by probes that a pod's address is changed on its way to another pod.
package sourceaddress

import (
	_ "embed"
	"fmt"

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

// Changed is the only case: the server saw another address than the client's own.
const Changed = "changed"

// Detector reports each pair of pods of which the server was reached, but saw another client than the one that called.
// Kubernetes requires that pods reach each other without address translation. Probes that failed, or that do not say what was
// seen, are not judged: the former are the business of pod-reachability.
var Detector = detectors.Detector{
	Name:  "source-address",
	Kind:  detectors.Symptom,
	About: "pods see the own addresses of the pods that call them",
	Cases: []detectors.Case{
		{Name: Changed, Severity: detectors.Critical, About: "a pod answered another pod, but saw another address than the caller's own"},
	},
	Needs:   probes.Needs,
	Writeup: detectors.Writeup{English: english, Chinese: chinese},
	Detect: probes.Symptom{
		Kind: evidence.ProbePod, Case: Changed, Effect: detectors.Changed, Right: "every server saw the client's own address", Judge: judge,
	}.Detect,
}

func judge(p evidence.Probe) detectors.Finding {
	switch {
	case !p.OK || p.Seen == "" || p.Source == "":
		return detectors.Finding{Verdict: detectors.NotApplicable}
	case p.Seen == p.Source:
		return detectors.Finding{Verdict: detectors.Clean}
	}
	return detectors.Finding{
		Verdict:  detectors.Problem,
		Summary:  detectors.OneLine(fmt.Sprintf("pod on %s sees %s instead of %s, the pod on %s that calls it", p.To, p.Seen, p.Source, p.From)),
		Expected: detectors.OneLine(p.Source),
		Actual:   detectors.OneLine(p.Seen),
	}
}
