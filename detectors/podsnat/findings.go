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

// report sets the node's finding if rules rewrite any of the traffic.
func (n *node) report(outcomes []iptables.Outcome) {
	caught := rewritten(outcomes)
	if len(caught) == 0 {
		return
	}
	traffic := caught[0].Traffic
	for _, o := range caught[1:] {
		traffic = traffic.Join(o.Traffic)
	}
	var concerned []int
	for i, p := range n.paths.peers {
		if traffic.Reaches(netip.MustParsePrefix(p.PodCIDR)) {
			concerned = append(concerned, i)
		}
	}
	caught = append(caught, n.hidden(caught, concerned)...)
	f := detectors.Finding{
		Verdict: detectors.Problem, Severity: detectors.Critical, Case: Rule, Node: n.name(),
		Summary: fmt.Sprintf("%s hides its pods' addresses (%s) from %s: %s leaves with %s (%s)", n.name(), n.lease.PodCIDR,
			n.peerNames(concerned), traffic, n.newSource(caught[0]), ruleName(caught[0].Rule)),
		Expected: "the pod's own address, of " + n.lease.PodCIDR,
		Actual:   n.newSource(caught[0]),
	}
	if len(concerned) == 1 {
		f.Peer = n.paths.peers[concerned[0]].Node
	}
	f.Breaks = n.breakages(concerned)
	for _, o := range caught {
		f.Evidence = append(f.Evidence, rules.Quote(n.name(), o.Rule, fmt.Sprintf("%s: %s (rewrites %s)",
			placeInFile(o.Rule), o.Rule.Text, o.Traffic)))
	}
	f.Evidence = append(f.Evidence, n.pathLines(concerned)...)
	if slices.ContainsFunc(caught, func(o iptables.Outcome) bool { return !n.isDockerds(o.Rule) }) {
		f.Remedy = n.shield(caught, concerned)
	} else {
		f.Case = Dockerd
		f.Remedy = n.withoutDockersMasquerade(caught, concerned)
		f.Alternatives = n.flanneldMasquerades(caught)
	}
	n.finding = &f
}

// breakages are the pods' connections to the peers with the given indices.
func (n *node) breakages(concerned []int) []detectors.Breakage {
	changed := func(to string) detectors.Breakage {
		return detectors.Breakage{Kinds: []string{evidence.ProbePod}, Effect: detectors.Changed, From: n.name(), To: to}
	}
	if len(concerned) == len(n.paths.peers) {
		return []detectors.Breakage{changed(detectors.AnyOther)}
	}
	var all []detectors.Breakage
	for _, i := range concerned {
		all = append(all, changed(n.paths.peers[i].Node))
	}
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

// peerNames names the peers with the given indices.
func (n *node) peerNames(concerned []int) string {
	switch {
	case len(concerned) > maxNamed && len(concerned) == len(n.paths.peers):
		return fmt.Sprintf("the pods of all %d other nodes", len(concerned))
	case len(concerned) > maxNamed:
		return fmt.Sprintf("the pods of %d of %d other nodes", len(concerned), len(n.paths.peers))
	}
	var names []string
	for _, i := range concerned {
		names = append(names, n.paths.peers[i].Node)
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
