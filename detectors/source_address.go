package detectors

import (
	"fmt"

	"github.com/netfault/netfault/detectors/evidence"
)

// SourceAddress recognises that a pod's address is changed on its way to another pod: the server was reached, but saw
// another client than the one that called. Kubernetes requires that pods reach each other without address translation.
// Probes that failed, or that do not say what was seen, are not judged: the former are the business of PodReachability.
var SourceAddress = register(Detector{
	Name:  "source-address",
	Kind:  Symptom,
	About: "pods see the own addresses of the pods that call them",
	Detect: symptom(evidence.ProbePod, "every server saw the client's own address", func(p evidence.Probe) Finding {
		switch {
		case !p.OK || p.Seen == "" || p.Source == "":
			return Finding{Verdict: NotApplicable}
		case p.Seen == p.Source:
			return Finding{Verdict: Clean}
		}
		return Finding{
			Verdict:  Problem,
			Summary:  oneLine(fmt.Sprintf("pod on %s sees %s instead of %s, the pod on %s that calls it", p.To, p.Seen, p.Source, p.From)),
			Expected: oneLine(p.Source),
			Actual:   oneLine(p.Seen),
		}
	}),
})
