package podsnat

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/internal/flannel"
	"github.com/netfault/netfault/detectors/internal/rules"
	"github.com/netfault/netfault/detectors/iptables"
)

// report sets the node's finding if rules rewrite any of what leaves its pods, or of what arrives at them.
func (n *node) report(leaving, arriving []iptables.Outcome) {
	out, in := rewritten(leaving), rewritten(arriving)
	if len(out)+len(in) == 0 {
		return
	}
	to := n.peersOf(out, iptables.Traffic.Reaches)
	from := n.peersOf(in, iptables.Traffic.ComesFrom)
	moreOut, moreIn := n.hidden(out, in, to, from)
	out, in = append(out, moreOut...), append(in, moreIn...)
	f := detectors.Finding{
		Verdict: detectors.Problem, Severity: detectors.Critical, Case: Rule, Node: n.name(),
		Expected: "the pod's own address, of " + n.lease.PodCIDR,
		Breaks:   n.breakages(to, from),
	}
	switch {
	case len(out) == 0:
		f.Summary = fmt.Sprintf("%s hides the addresses of %s from its own pods (%s): %s arrives with %s (%s)", n.name(),
			n.peerNames(from), n.lease.PodCIDR, joined(in), n.newSource(in[0]), ruleName(in[0].Rule))
		f.Expected, f.Actual = "the address of the pod that sends it", n.newSource(in[0])
	default:
		f.Summary = fmt.Sprintf("%s hides its pods' addresses (%s) from %s: %s leaves with %s (%s)", n.name(), n.lease.PodCIDR,
			n.peerNames(to), joined(out), n.newSource(out[0]), ruleName(out[0].Rule))
		if len(in) > 0 {
			f.Summary += "; and from its own those of " + n.peerNames(from)
		}
		f.Actual = n.newSource(out[0])
	}
	concerned := union(to, from)
	if len(concerned) == 1 {
		f.Peer = n.paths.peers[concerned[0]].Node
	}
	quote := func(outcomes []iptables.Outcome, what string) {
		for _, o := range outcomes {
			f.Evidence = append(f.Evidence, rules.Quote(n.name(), o.Rule, fmt.Sprintf("%s: %s (rewrites %s%s)", placeInFile(o.Rule), o.Rule.Text, what, o.Traffic)))
		}
	}
	quote(out, "")
	quote(in, "what arrives: ")
	f.Evidence = append(f.Evidence, n.pathLines(concerned)...)
	if len(in) > 0 || slices.ContainsFunc(out, func(o iptables.Outcome) bool { return !n.isDockerds(o.Rule) }) {
		f.Remedy = n.shield(slices.Concat(out, in), to, from)
	} else {
		f.Case = Dockerd
		f.Remedy = n.withoutDockersMasquerade(out, to)
		f.Alternatives = n.flanneldMasquerades(out)
	}
	n.findings = append(n.findings, f)
}

// peersOf returns the indices of the peers that some outcomes are about.
func (n *node) peersOf(outcomes []iptables.Outcome, about func(iptables.Traffic, netip.Prefix) bool) (concerned []int) {
	if len(outcomes) == 0 {
		return nil
	}
	traffic := joined(outcomes)
	for i, p := range n.paths.peers {
		if about(traffic, netip.MustParsePrefix(p.PodCIDR)) {
			concerned = append(concerned, i)
		}
	}
	return concerned
}

// joined is the traffic of all outcomes.
func joined(outcomes []iptables.Outcome) iptables.Traffic {
	traffic := outcomes[0].Traffic
	for _, o := range outcomes[1:] {
		traffic = traffic.Join(o.Traffic)
	}
	return traffic
}

// union returns what is in a or b, sorted.
func union(a, b []int) []int {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}

// breakages are the pods' connections to some peers, and those from some, by their indices.
func (n *node) breakages(to, from []int) (all []detectors.Breakage) {
	add := func(concerned []int, between func(peer string) (from, to string)) {
		if len(concerned) == 0 {
			return
		}
		names := n.names(concerned)
		if len(concerned) == len(n.paths.peers) {
			names = []string{detectors.AnyOther}
		}
		for _, peer := range names {
			from, to := between(peer)
			all = append(all, detectors.Breakage{Kinds: []string{evidence.ProbePod}, Effect: detectors.Changed, From: from, To: to})
		}
	}
	add(to, func(peer string) (string, string) { return n.name(), peer })
	add(from, func(peer string) (string, string) { return peer, n.name() })
	return all
}

// rewritten returns the outcomes of that verdict.
func rewritten(outcomes []iptables.Outcome) (caught []iptables.Outcome) {
	for _, o := range outcomes {
		if o.Verdict == iptables.Rewritten {
			caught = append(caught, o)
		}
	}
	return caught
}

// isDockerds reports whether a rule is what dockerd writes for a bridge with --ip-masq=true: libnetwork,
// drivers/bridge/setup_ip_tables.go in Docker 20.10.
func (n *node) isDockerds(r *iptables.Rule) bool {
	return r.Table() == "nat" && r.Chain() == "POSTROUTING" && n.paths.bridge != "" &&
		r.Text == fmt.Sprintf("-A POSTROUTING -s %s ! -o %s -j MASQUERADE", n.lease.PodCIDR, n.paths.bridge)
}

func ruleName(r *iptables.Rule) string {
	return detectors.OneLine(r.Place())
}

// placeInFile names a rule's table and chain, and the handle by which nft deletes it.
func placeInFile(r *iptables.Rule) string {
	if r.World() == iptables.Native {
		return fmt.Sprintf("%s %s, handle %d", r.Table(), r.Chain(), r.Handle)
	}
	return r.Table() + " " + r.Chain()
}

// newSource says which source address the packets have afterwards.
func (n *node) newSource(o iptables.Outcome) string {
	dev, masquerade := strings.CutPrefix(o.To, "the address of ")
	if !masquerade {
		return "source " + o.To
	}
	for _, l := range n.paths.query.LocalRoutes {
		if l.Type == "local" && l.Dev == dev {
			return fmt.Sprintf("source %s, the address of %s", l.Dst.Addr(), dev)
		}
	}
	return "as source the address of " + dev
}

// maxNamed is how many peers a text names one by one.
const maxNamed = 3

// peerNames names the pods of the peers with the given indices.
func (n *node) peerNames(concerned []int) string {
	return podsOf(n.names(concerned), len(n.paths.peers))
}

// names returns the names of the peers with the given indices.
func (n *node) names(concerned []int) (names []string) {
	for _, i := range concerned {
		names = append(names, n.paths.peers[i].Node)
	}
	return names
}

// podsOf names the pods of some of a node's peers.
func podsOf(names []string, peers int) string {
	switch {
	case len(names) > maxNamed && len(names) == peers:
		return fmt.Sprintf("the pods of all %d other nodes", peers)
	case len(names) > maxNamed:
		return fmt.Sprintf("the pods of %d of %d other nodes", len(names), peers)
	}
	return "the pods of " + strings.Join(names, ", ")
}

// pathLines quote the routes and the leases: to the first peer, and of the node itself.
func (n *node) pathLines(concerned []int) []detectors.Line {
	routeFile := evidence.NodeFile(n.name(), evidence.RouteFile)
	own := detectors.Line{File: routeFile, Text: fmt.Sprintf("%s is reached by %d interfaces", n.lease.PodCIDR, len(n.paths.query.From))}
	if n.paths.bridge != "" {
		own.At = n.paths.own.Pos
		own.Text = fmt.Sprintf("%s dev %s: the pods' interface", n.lease.PodCIDR, detectors.OneLine(n.paths.bridge))
	}
	lines := []detectors.Line{own, flannel.PodLeaseLine(n.lease)}
	if len(concerned) > 0 {
		i := concerned[0]
		text := n.paths.routes[i].Text()
		if more := len(concerned) - 1; more > 0 {
			text += fmt.Sprintf(" (and %d more)", more)
		}
		lines = append(lines, detectors.Line{File: routeFile, At: n.paths.routes[i].Pos, Text: text}, flannel.PodLeaseLine(n.paths.peers[i]))
	}
	return lines
}
