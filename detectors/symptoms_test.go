package detectors

import (
	"slices"
	"strings"
	"testing"

	"github.com/netfault/netfault/detectors/evidence"
)

func TestReachability(t *testing.T) {
	ok := func(kind, from, to string) evidence.Probe {
		return evidence.Probe{Kind: kind, From: from, To: to, Source: "10.244.1.2", Target: "10.96.0.11:80", OK: true, AnsweredBy: "pod-" + to, Seen: "10.244.1.2"}
	}
	fails := func(kind, from, to, why string) evidence.Probe {
		return evidence.Probe{Kind: kind, From: from, To: to, Source: "10.244.1.2", Target: "10.96.0.11:80", Error: why}
	}
	for kind, d := range map[string]Detector{
		evidence.ProbePod: PodReachability, evidence.ProbeService: ServiceReachability, evidence.ProbeNodePort: NodePortReachability,
		evidence.ProbeDNS: DNSReachability, evidence.ProbeEgress: EgressReachability,
	} {
		elsewhere := evidence.ProbePod
		if kind == evidence.ProbePod {
			elsewhere = evidence.ProbeDNS
		}
		for _, test := range []struct {
			name   string
			probes []evidence.Probe
			want   []string
			shown  string
		}{
			{"all answered", []evidence.Probe{ok(kind, "n1", "n2"), ok(kind, "n2", "n1"), fails(elsewhere, "n1", "n2", "timeout")}, []string{"clean"}, "2 " + kind + " probes: all were answered"},
			{"one fails", []evidence.Probe{ok(kind, "n1", "n2"), fails(kind, "n2", "n1", "timeout")}, []string{"problem n2 n1"}, "from"},
			{"one pair fails twice", []evidence.Probe{fails(kind, "n1", "n2", "timeout"), fails(kind, "n1", "n2", "refused")}, []string{"problem n1 n2"}, "refused"},
			{"two pairs fail", []evidence.Probe{fails(kind, "n2", "n1", "timeout"), ok(kind, "n1", "n2"), fails(kind, "n1", "n3", "timeout")}, []string{"problem n2 n1", "problem n1 n3"}, ": timeout"},
			{"another answers", []evidence.Probe{{Kind: kind, From: "n1", To: "n2", AnsweredBy: "twin"}}, []string{"problem n1 n2"}, `answered by`},
			{"no reason", []evidence.Probe{fails(kind, "n1", "n2", "")}, []string{"problem n1 n2"}, "no answer"},
			{"a reason of many lines", []evidence.Probe{fails(kind, "n1", "n2", "a\n\x1b[31mb"+strings.Repeat("c", 1000))}, []string{"problem n1 n2"}, "a  [31mb"},
			{"answered by no one in particular", []evidence.Probe{{Kind: kind, From: "n1", To: "n2", OK: true}}, []string{"clean"}, ""},
			{"none of the kind", []evidence.Probe{ok(elsewhere, "n1", "n2")}, []string{"not-applicable"}, "no " + kind + " probes were run"},
			{"none", []evidence.Probe{}, []string{"not-applicable"}, "no " + kind + " probes were run"},
		} {
			t.Run(kind+"/"+test.name, func(t *testing.T) {
				c := healthy(1)
				c.probes = test.probes
				checkSymptom(t, c.judge(t, d), test.want, test.shown)
			})
		}
	}
}

func TestSourceAddress(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(c *cluster)
		want   []string
		shown  string
	}{
		{"own addresses", func(c *cluster) {}, []string{"clean"}, "every server saw the client's own address"},
		{"masqueraded", func(c *cluster) { c.probes[0].Seen = "10.244.1.0" }, []string{"problem n1 n2"}, "pod on n2 sees 10.244.1.0 instead of 10.244.1.2, the pod on n1 that calls it"},
		{"failed", func(c *cluster) { c.probes[0].OK, c.probes[0].Seen = false, "" }, []string{"clean"}, "1 pod probes"},
		{"all failed", func(c *cluster) { c.probes[0].OK, c.probes[1].OK = false, false }, []string{"not-applicable"}, "none of 2"},
		{"not seen", func(c *cluster) { c.probes[0].Seen, c.probes[1].Seen = "", "" }, []string{"not-applicable"}, ""},
		{"egress is masqueraded by design", func(c *cluster) {
			c.probes = append(c.probes, evidence.Probe{Kind: evidence.ProbeEgress, From: "n1", To: "host", Source: "10.244.1.2", OK: true, Seen: "192.168.7.1"})
		}, []string{"clean"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := healthy(2)
			test.change(c)
			checkSymptom(t, c.judge(t, SourceAddress), test.want, test.shown)
		})
	}
}

func checkSymptom(t *testing.T, found []Finding, want []string, shown string) {
	t.Helper()
	if got := verdicts(found); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	all := ""
	for _, f := range found {
		all += text(f)
		checkFinding(t, f)
		if len(f.Remedy) > 0 {
			t.Errorf("a symptom has a remedy: %s", text(f))
		}
	}
	if !strings.Contains(all, shown) {
		t.Errorf("%q is not in %s", shown, all)
	}
}

func TestSymptomsWithoutProbes(t *testing.T) {
	for _, d := range All() {
		if d.Kind != Symptom {
			continue
		}
		for file, want := range map[string]string{"": "not-applicable", "[": "unknown", `[{"kind":"pod","from":"../../etc","to":"n1"}]`: "unknown"} {
			c := healthy(2)
			c.files[evidence.ProbesFile] = file
			checkSymptom(t, c.judge(t, d), []string{want}, "")
		}
	}
}
