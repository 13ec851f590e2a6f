package detectors

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/iptables"
)

// report sets the node's finding if rules rewrite any of the traffic.
func (n *snatNode) report(outcomes []iptables.Outcome) {
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
	f := Finding{
		Verdict: Problem, Severity: Critical, Case: SNATByRule, Node: n.name(),
		Summary: fmt.Sprintf("%s hides its pods' addresses (%s) from %s: %s leaves with %s (%s)", n.name(), n.lease.PodCIDR,
			n.peerNames(concerned), traffic, n.newSource(caught[0]), ruleName(caught[0].Rule)),
		Expected: "the pod's own address, of " + n.lease.PodCIDR,
		Actual:   n.newSource(caught[0]),
	}
	if len(concerned) == 1 {
		f.Peer = n.paths.peers[concerned[0]].Node
	}
	for _, o := range caught {
		f.Evidence = append(f.Evidence, Line{
			File: evidence.NodeFile(n.name(), ruleFile(o.Rule.World())),
			Text: oneLine(fmt.Sprintf("%s %s, line %d: %s (rewrites %s)",
				o.Rule.Table(), o.Rule.Chain(), o.Rule.Line, o.Rule.Text, o.Traffic)),
		})
	}
	f.Evidence = append(f.Evidence, n.pathLines(concerned)...)
	if slices.ContainsFunc(caught, func(o iptables.Outcome) bool { return !n.isDockerds(o.Rule) }) {
		f.Remedy = n.shield(caught, concerned)
	} else {
		f.Case = SNATByDockerd
		f.Remedy = n.withoutDockersMasquerade(caught, concerned)
		f.Alternatives = n.flanneldMasquerades(caught)
	}
	n.finding = &f
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
func (n *snatNode) isDockerds(r *iptables.Rule) bool {
	return r.Table() == "nat" && r.Chain() == "POSTROUTING" && n.paths.bridge != "" &&
		r.Text == fmt.Sprintf("-A POSTROUTING -s %s ! -o %s -j MASQUERADE", n.lease.PodCIDR, n.paths.bridge)
}

func ruleName(r *iptables.Rule) string {
	return oneLine(fmt.Sprintf("%s %s %s, line %d", r.World(), r.Table(), r.Chain(), r.Line))
}

// newSource says which source address the packets have afterwards.
func (n *snatNode) newSource(o iptables.Outcome) string {
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
func (n *snatNode) peerNames(concerned []int) string {
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
func (n *snatNode) pathLines(concerned []int) []Line {
	routeFile := evidence.NodeFile(n.name(), evidence.RouteFile)
	own := Line{File: routeFile, Text: fmt.Sprintf("%s is reached by %d interfaces", n.lease.PodCIDR, len(n.paths.query.From))}
	if n.paths.bridge != "" {
		own.Text = fmt.Sprintf("%s dev %s: the pods' interface", n.lease.PodCIDR, oneLine(n.paths.bridge))
	}
	lines := []Line{own, podLeaseLine(n.lease)}
	if len(concerned) > 0 {
		i := concerned[0]
		text := n.paths.routes[i].text()
		if more := len(concerned) - 1; more > 0 {
			text += fmt.Sprintf(" (and %d more)", more)
		}
		lines = append(lines, Line{File: routeFile, Text: text}, podLeaseLine(n.paths.peers[i]))
	}
	return lines
}

// podLeaseLine quotes what matters here of a lease.
func podLeaseLine(l evidence.Lease) Line {
	return Line{File: l.File, Text: oneLine(fmt.Sprintf("%s: %s, public IP %s, backend %s, from %s",
		l.Node, l.PodCIDR, l.PublicIP, l.BackendType, l.Source))}
}
