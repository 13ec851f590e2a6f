package detectors

import (
	"fmt"

	"github.com/netfault/netfault/detectors/evidence"
)

// The reachability detectors say which connections fail, from every node to every node. Many causes share these symptoms.
var (
	PodReachability      = reachability(evidence.ProbePod, "pods on one node reach pods on another by their address", "pod on %s gets no answer from pod on %s")
	ServiceReachability  = reachability(evidence.ProbeService, "pods reach a Service whose pod is on another node", "pod on %s gets no answer from the Service of the pod on %s")
	NodePortReachability = reachability(evidence.ProbeNodePort, "hosts outside the cluster reach pods through every node's NodePort", "the NodePort on %s gives no answer from the pod on %s")
	DNSReachability      = reachability(evidence.ProbeDNS, "pods get answers from the cluster's DNS", "pod on %s gets no answer from the cluster DNS on %s")
	EgressReachability   = reachability(evidence.ProbeEgress, "pods reach hosts outside the cluster", "pod on %s gets no answer from %s outside the cluster")
)

// reachability registers the detector for one kind of probe; failed has a %s for each end.
func reachability(kind, about, failed string) Detector {
	return register(Detector{
		Name:  kind + "-reachability",
		Kind:  Symptom,
		About: about,
		Detect: symptom(kind, "all were answered", func(p evidence.Probe) Finding {
			if p.OK {
				return Finding{Verdict: Clean}
			}
			return Finding{
				Verdict:  Problem,
				Summary:  oneLine(fmt.Sprintf(failed, p.From, p.To) + ": " + reason(p)),
				Expected: "an answer",
				Actual:   oneLine(reason(p)),
			}
		}),
	})
}
