package fault

import (
	"testing"

	"github.com/netfault/netfault/detectors/evidence"
)

func TestWhich(t *testing.T) {
	l := &fake{}
	one, two := Nth(0), Nth(1)
	probe := func(kind, from, to string) evidence.Probe { return evidence.Probe{Kind: kind, From: from, To: to} }
	for _, test := range []struct {
		name  string
		which Which
		p     evidence.Probe
		want  bool
	}{
		{"between", Between(one, two), probe(evidence.ProbePod, "n2", "n1"), true},
		{"between, DNS", Between(one, two), probe(evidence.ProbeDNS, "n1", "n2"), true},
		{"between, another node", Between(one, two), probe(evidence.ProbePod, "n1", "n3"), false},
		{"between, the same node", Between(one, two), probe(evidence.ProbeService, "n1", "n1"), false},
		{"between, egress", Between(one, two), probe(evidence.ProbeEgress, "n1", "n2"), false},
		{"crossing", Crossing(one), probe(evidence.ProbeNodePort, "n7", "n1"), true},
		{"crossing, within", Crossing(one), probe(evidence.ProbeNodePort, "n1", "n1"), false},
		{"crossing, egress", Crossing(one), probe(evidence.ProbeEgress, "n1", "host"), false},
		{"crossing, others", Crossing(one), probe(evidence.ProbePod, "n2", "n3"), false},
		{"all of them", And(Kind(evidence.ProbePod), From(two), To(one)), probe(evidence.ProbePod, "n2", "n1"), true},
		{"not all of them", And(Kind(evidence.ProbePod), From(two), To(one)), probe(evidence.ProbePod, "n1", "n2"), false},
		{"another kind", And(Kind(evidence.ProbePod), Overlay), probe(evidence.ProbeService, "n1", "n2"), false},
	} {
		if got := test.which(l, test.p); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}
