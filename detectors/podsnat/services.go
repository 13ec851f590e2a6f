package podsnat

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/internal/rules"
	"github.com/netfault/netfault/detectors/iptables"
)

// kube-proxy treats all Services alike, so that a few tell: those that lead to other nodes' pods, of the first maxServices.
const (
	maxServices = 64
	maxTelling  = 4
)

// undelivered is in the place of an interface for packets that no rule has given a Service's endpoint as destination.
const undelivered = "(no endpoint)"

// reportServices adds the node's finding if rules rewrite the source of what its pods send to other nodes' pods by way of a Service.
// What is undecided is left so: no answer is given on Services in general.
func (n *node) reportServices() {
	var caught []iptables.Outcome
	var of iptables.Service
	var telling []iptables.Service
	for _, w := range n.Worlds {
		for _, s := range w.Services(maxServices) {
			if len(telling) == maxTelling {
				break
			}
			hit, tells := n.throughService(s, n.Worlds)
			if !tells {
				continue
			}
			telling = append(telling, s)
			if len(caught) == 0 {
				caught, of = hit, s
			}
		}
	}
	if len(caught) > 0 {
		n.reportService(fmt.Sprintf("%s:%d", of.Addr, of.Port), caught, []*iptables.Rule{of.Marks, of.Rule}).Remedy = n.shieldServices(caught, telling)
	}
}

// reportService adds the finding on what goes through a Service, which some rules mark or send to its endpoints, and returns it.
func (n *node) reportService(to string, caught []iptables.Outcome, by []*iptables.Rule) *detectors.Finding {
	f := detectors.Finding{
		Verdict: detectors.Problem, Severity: detectors.Critical, Case: Service, Node: n.name(),
		Summary: fmt.Sprintf("%s hides its pods' addresses (%s) from the pods behind Services: what goes through %s to other nodes leaves with %s (%s)",
			n.name(), n.lease.PodCIDR, to, n.newSource(caught[0]), ruleName(caught[0].Rule)),
		Expected: "the pod's own address, of " + n.lease.PodCIDR,
		Actual:   n.newSource(caught[0]),
		Breaks: []detectors.Breakage{{
			Kinds: []string{evidence.ProbeService, evidence.ProbeDNS}, Effect: detectors.Changed, From: n.name(), To: detectors.AnyOther,
		}},
	}
	for _, r := range by {
		if r != nil {
			f.Evidence = append(f.Evidence, rules.Quote(n.name(), r, fmt.Sprintf("%s %s: %s", r.Table(), r.Chain(), r.Text)))
		}
	}
	for _, o := range caught {
		f.Evidence = append(f.Evidence, rules.Quote(n.name(), o.Rule, fmt.Sprintf("%s %s: %s (rewrites it)", o.Rule.Table(), o.Rule.Chain(), o.Rule.Text)))
	}
	f.Evidence = append(f.Evidence, n.pathLines(n.everyPeer())...)
	n.findings = append(n.findings, f)
	return &n.findings[len(n.findings)-1]
}

// everyPeer are the indices of all peers.
func (n *node) everyPeer() []int {
	every := make([]int, len(n.paths.peers))
	for i := range every {
		every[i] = i
	}
	return every
}

// throughService returns the outcomes of packets to a Service that leave for other nodes' pods with another source; tells is false
// if none leaves for them.
func (n *node) throughService(s iptables.Service, worlds []*iptables.Rules) (caught []iptables.Outcome, tells bool) {
	q := n.paths.query
	q.Proto, q.Dport = s.Proto, s.Port
	service := netip.PrefixFrom(s.Addr, s.Addr.BitLen())
	q.To = append(slices.Clone(q.To), iptables.Side{Dev: undelivered, Addrs: []netip.Prefix{service}})
	nowhere := q
	nowhere.To = nowhere.To[len(nowhere.To)-1:]
	var stray []iptables.Outcome
	outcomes := iptables.Evaluate(q, worlds...)
	if len(rewritten(outcomes)) > 0 {
		stray = rewritten(iptables.Evaluate(nowhere, worlds...))
	}
	for _, o := range outcomes {
		// What has no endpoint goes to no pod, and SNAT does not tell by which interface it would.
		if o.Verdict == iptables.Rewritten && slices.ContainsFunc(stray, func(s iptables.Outcome) bool { return s.Rule == o.Rule && s.To == o.To }) {
			continue
		}
		switch {
		case !o.Traffic.Reaches(service):
		case o.Verdict == iptables.Rewritten:
			caught, tells = append(caught, o), true
		case o.Verdict == iptables.Kept:
			tells = true
		}
	}
	return caught, tells
}

// shieldServices is shield for what goes through Services.
func (n *node) shieldServices(caught []iptables.Outcome, telling []iptables.Service) []detectors.Command {
	specs, tops := n.shields(n.everyPeer(), nil), n.topsOf(caught)
	healed, err := n.withShields(tops, specs)
	if err != nil {
		return nil
	}
	for _, s := range telling {
		if still, _ := n.throughService(s, healed); len(still) > 0 {
			return nil
		}
	}
	return n.shieldCommands(tops, specs)
}
