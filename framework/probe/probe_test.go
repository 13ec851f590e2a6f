package probe

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
)

// oneNode is a lab of which only the first node is known.
type oneNode struct{ lab.Lab }

func (oneNode) Nodes() []lab.Node {
	return []lab.Node{{Machine: named("n1"), Address: netip.MustParseAddr("192.168.100.11")}}
}

// twoNodes is a lab in which one pod does not run.
type twoNodes struct{ lab.Lab }

func (twoNodes) Outside() lab.Host {
	return lab.Host{Machine: answering("host"), Address: netip.MustParseAddr("192.168.100.2")}
}
func (twoNodes) DNS() lab.DNS {
	return lab.DNS{Node: "n1", ClusterIP: netip.MustParseAddr("10.96.0.10")}
}
func (twoNodes) Agent() string { return "agent" }
func (twoNodes) Nodes() []lab.Node {
	address := netip.MustParseAddr("10.0.0.1") // who answers is all that matters
	pod := func(m machine.Machine) lab.Pod {
		return lab.Pod{Machine: m, Address: address, Service: lab.Service{ClusterIP: address}}
	}
	return []lab.Node{
		{Machine: named("n1"), Address: address, Pod: pod(answering("pod-n1")), Client: pod(answering("client-n1"))},
		{Machine: named("n2"), Address: address, Pod: pod(ended("pod-n2")), Client: pod(answering("client-n2"))},
	}
}

// answering is a machine on which every probe is answered.
type answering string

func (a answering) Name() string { return string(a) }

func (answering) Run(_ context.Context, c machine.Command) error {
	var plan agent.Plan
	if err := json.NewDecoder(c.Stdin).Decode(&plan); err != nil {
		return err
	}
	var results []evidence.Probe
	for _, t := range plan.Targets {
		results = append(results, evidence.Probe{Kind: t.Kind, From: t.From, To: t.To, OK: true})
	}
	return json.NewEncoder(c.Stdout).Encode(results)
}

type ended string

func (e ended) Name() string { return string(e) }
func (e ended) Run(context.Context, machine.Command) error {
	return errors.New(string(e) + " does not run")
}

// A pod that cannot call leaves what it would have called untried, and keeps nobody else from calling.
func TestRunWithoutAPod(t *testing.T) {
	results, err := Run(t.Context(), twoNodes{})
	if err == nil || err.Error() != "the probes of pod-n2: pod-n2 does not run" {
		t.Errorf("%v", err)
	}
	untried := 0
	for _, p := range results {
		if p.Untried {
			untried++
		}
		if p.OK == p.Untried || p.Untried && (p.From != "n2" || p.Error != "pod-n2 does not run") {
			t.Errorf("%+v", p)
		}
	}
	// n2's pod calls two Services, the other pod with small and with large packets, DNS and the host outside.
	if untried != 6 || len(results) != 18 {
		t.Errorf("%d of %d probes are untried", untried, len(results))
	}
}

type named string

func (n named) Name() string                             { return string(n) }
func (named) Run(context.Context, machine.Command) error { return nil }

func TestAllPass(t *testing.T) {
	good := evidence.Probe{Kind: evidence.ProbePod, From: "n1", To: "n2", OK: true, Source: "10.244.1.2", Seen: "10.244.1.2"}
	for name, c := range map[string]struct {
		change func(*evidence.Probe)
		want   string
	}{
		"all well":                            {func(*evidence.Probe) {}, ""},
		"no answer":                           {func(p *evidence.Probe) { p.OK, p.Error = false, "timeout" }, "pod n1→n2: timeout"},
		"another source was seen":             {func(p *evidence.Probe) { p.Seen = "10.244.1.0" }, "n2 sees 10.244.1.0, not 10.244.1.2"},
		"a Service may hide the source":       {func(p *evidence.Probe) { p.Kind, p.Seen = evidence.ProbeService, "10.244.1.1" }, ""},
		"the way out always hides the source": {func(p *evidence.Probe) { p.Kind, p.Seen = evidence.ProbeEgress, "192.168.100.11" }, ""},
		"the way out shows a pod":             {func(p *evidence.Probe) { p.Kind = evidence.ProbeEgress }, "n2 sees 10.244.1.2, not 192.168.100.11"},
	} {
		p := good
		c.change(&p)
		err := AllPass(oneNode{}, []evidence.Probe{good, p})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}
