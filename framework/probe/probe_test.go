package probe

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
)

// oneNode is a lab of which only the first node is known.
type oneNode struct{ lab.Lab }

func (oneNode) Nodes() []lab.Node {
	return []lab.Node{{Machine: named("n1"), Address: netip.MustParseAddr("192.168.100.11")}}
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
