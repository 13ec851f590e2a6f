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

// relay is a node over which routes lead a node's packets to the pods of others.
type relay struct {
	*node
	legs []leg
	to   flannel.Sides
	// asked are the packets that pass it.
	asked iptables.Query
	// caught are the outcomes of those that the relay's rules rewrite, and stopped of answers that they stop: those of connections
	// whose openings did not pass it.
	caught, stopped []iptables.Outcome
}

// leg is a part of the way to a peer's pods.
type leg struct {
	peer evidence.Lease
	// dst are the pods, or those of them, that are reached by it.
	dst netip.Prefix
	// first is the sender's own route, and on the one by which the relay sends them on.
	first, on flannel.Route
}

// follow finds the relays of a node's packets, and asks their rules what becomes of them.
func (net *network) follow(n *node) {
	for _, p := range n.paths.peers {
		cidr := netip.MustParsePrefix(p.PodCIDR)
		for _, r := range n.ways(p, cidr) {
			hops, _ := net.followRoute(n, leg{peer: p, dst: narrower(cidr, r.Dst), first: r}, r, []*node{n})
			for _, h := range hops {
				n.relayBy(h.at).add(h.leg, h.out)
			}
		}
	}
	for i := range n.relays {
		r := &n.relays[i]
		from := flannel.Sides{}
		if _, err := r.wayTo(n.lease, netip.MustParsePrefix(n.lease.PodCIDR), from); err != nil {
			n.doubtLeg(r.legs[0], fmt.Sprintf("passes %s, whose way back is not understood: %v", r.name(), err))
			continue
		}
		r.asked = r.paths.query
		r.asked.From, r.asked.To = from.List(), r.to.List()
		outcomes := iptables.Evaluate(r.asked, r.Worlds...)
		r.caught, r.stopped = rewritten(outcomes), stopped(r.asked, r.Worlds)
		n.doubtUnknown(r.node, fmt.Sprintf("passes here from %s: ", n.name()), outcomes)
	}
}

// ways returns the routes by which packets for a peer's pods leave, none if they leave as if there were one.
func (n *node) ways(p evidence.Lease, cidr netip.Prefix) []flannel.Route {
	return slices.DeleteFunc(n.paths.table.Ways(cidr), func(r flannel.Route) bool { return !r.Unicast || leadsAway(r, p) })
}

func narrower(a, b netip.Prefix) netip.Prefix {
	if a.Bits() > b.Bits() {
		return a
	}
	return b
}

// hop is a leg at the node that it passes, with the ways out.
type hop struct {
	leg
	at  *node
	out flannel.Sides
}

// followRoute follows packets that have passed some nodes and leave the last of them by a route, to where they arrive, and returns
// what they pass on the way. Of those that go in a circle or get lost none arrives, and nobody sees that they were rewritten.
func (net *network) followRoute(n *node, l leg, r flannel.Route, passed []*node) (hops []hop, arrives bool) {
	for _, name := range net.next(passed[len(passed)-1], r) {
		more, ok := net.followTo(n, l, name, passed)
		hops, arrives = append(hops, more...), arrives || ok
	}
	return hops, arrives
}

// followTo follows packets that come to the node with a name.
func (net *network) followTo(n *node, l leg, name string, passed []*node) (hops []hop, arrives bool) {
	if name == "" || name == l.peer.Node {
		return nil, true
	}
	at := net.byName[name]
	if slices.Contains(passed, at) {
		n.doubtLeg(l, "goes in a circle, and does not arrive: "+circle(append(slices.Clone(passed), at)))
		return nil, false
	}
	if at == nil || at.paths.table == nil {
		n.doubtLeg(l, fmt.Sprintf("passes %s, whose routes are not in the bundle", name))
		return nil, true
	}
	if at.readRules(); len(at.Worlds) == 0 {
		n.doubtLeg(l, fmt.Sprintf("passes %s, whose rules could not be read", name))
		return nil, true
	}
	if !at.hasTraffic { // otherwise, what is missing of it is said already
		n.doubts = append(n.doubts, at.Doubts...)
	}
	out := flannel.Sides{}
	on, err := at.wayTo(l.peer, l.dst, out)
	if err != nil {
		n.doubtLeg(l, fmt.Sprintf("passes %s, whose way on is not understood: %v", name, err))
		return nil, true
	}
	l.on = on
	ways := at.ways(l.peer, l.dst)
	arrives = len(ways) == 0
	for _, next := range ways {
		part := l
		part.dst = narrower(l.dst, next.Dst)
		more, ok := net.followRoute(n, part, next, append(slices.Clone(passed), at))
		hops, arrives = append(hops, more...), arrives || ok
	}
	if !arrives {
		return nil, false
	}
	return append(hops, hop{l, at, out}), true
}

func (n *node) relayBy(at *node) *relay {
	i := slices.IndexFunc(n.relays, func(r relay) bool { return r.node == at })
	if i < 0 {
		i = len(n.relays)
		n.relays = append(n.relays, relay{node: at, to: flannel.Sides{}})
	}
	return &n.relays[i]
}

func (r *relay) add(l leg, out flannel.Sides) {
	r.legs = append(r.legs, l)
	for dev, s := range out {
		to := r.to.Side(dev)
		to.Addrs, to.Except = append(to.Addrs, s.Addrs...), append(to.Except, s.Except...)
	}
}

// doubtLeg says of a node's route to a peer why what goes by it is not judged.
func (n *node) doubtLeg(l leg, why string) {
	n.doubts = append(n.doubts, detectors.Line{
		File: evidence.NodeFile(n.name(), evidence.RouteFile), At: l.first.Pos,
		Text: detectors.OneLine(fmt.Sprintf("%s: what goes by it to %s's pods %s", l.first.Text(), l.peer.Node, why)),
	})
}

func circle(passed []*node) string {
	var names []string
	for _, n := range passed {
		names = append(names, n.name())
	}
	return strings.Join(names, " → ")
}

// stopped returns what rules stop of answers of TCP whose openings the machine has not seen.
func stopped(q iptables.Query, worlds []*iptables.Rules) []iptables.Outcome {
	q.State, q.Proto = iptables.Stray, protoTCP
	return slices.DeleteFunc(iptables.Filter(q, worlds...), func(o iptables.Outcome) bool {
		return o.Verdict != iptables.Dropped && o.Verdict != iptables.Rejected
	})
}

const protoTCP, protoUDP = 6, 17

// catches reports whether the relay's rules rewrite some of what goes by a leg.
func (r *relay) catches(l leg) bool { return len(r.caught) > 0 && joined(r.caught).Reaches(l.dst) }

// loses reports whether answers of a protocol to a connection whose opening went another way do not pass the relay as they are: all of
// them are rewritten, as the first of a connection to it, or stopped.
func (r *relay) loses(l leg, proto uint8) bool {
	all := func(outcomes []iptables.Outcome) bool {
		return len(outcomes) > 0 && joined(outcomes).HasAllTo(netip.MustParsePrefix(l.peer.PodCIDR), proto)
	}
	return all(r.caught) || proto == protoTCP && all(r.stopped)
}

// byRelays reports whether something is so of a relay by which what the node sends to a peer's pods goes.
func (n *node) byRelays(peer string, is func(*relay, leg) bool) bool {
	return slices.ContainsFunc(n.relays, func(r relay) bool {
		return slices.ContainsFunc(r.legs, func(l leg) bool { return l.peer.Node == peer && is(&r, l) })
	})
}

// detourFinding is the finding on packets that are rewritten on a third node; nil if none are.
func (net *network) detourFinding(n *node) *detectors.Finding {
	var hit []leg
	var by []*relay
	var peers []string
	for i := range n.relays {
		for _, l := range n.relays[i].legs {
			if n.relays[i].catches(l) {
				hit, by = append(hit, l), append(by, &n.relays[i])
				if !slices.Contains(peers, l.peer.Node) {
					peers = append(peers, l.peer.Node)
				}
			}
		}
	}
	if len(hit) == 0 {
		return nil
	}
	first := by[0]
	o := first.caught[slices.IndexFunc(first.caught, func(o iptables.Outcome) bool { return o.Traffic.Reaches(hit[0].dst) })]
	f := &detectors.Finding{
		Verdict: detectors.Problem, Severity: detectors.Critical, Case: Detour, Node: n.name(),
		Expected: "the pod's own address, of " + n.lease.PodCIDR,
		Actual:   first.newSource(o),
	}
	if len(peers) == 1 {
		f.Peer = peers[0]
	}
	var lost []string
	for _, p := range peers {
		f.Breaks = append(f.Breaks, detectors.Breakage{Kinds: []string{evidence.ProbePod}, Effect: detectors.Changed, From: n.name(), To: p})
		if broken := net.lostAnswers(n, p); len(broken) > 0 {
			lost = append(lost, p)
			f.Breaks = append(f.Breaks, detectors.Breakage{Kinds: broken, Effect: detectors.Lost, From: p, To: n.name()})
		}
	}
	f.Summary = fmt.Sprintf("what %s's pods (%s) send to %s goes over %s, which hides their addresses: %s leaves there with %s (%s)", n.name(),
		n.lease.PodCIDR, podsOf(peers, len(n.paths.peers)), first.name(), o.Traffic, first.newSource(o), ruleName(o.Rule))
	if len(lost) > 0 {
		f.Summary += fmt.Sprintf("; their answers to %s do, too, and get lost there", podsOf(lost, len(n.paths.peers)))
	}
	f.Evidence = net.detourLines(n, hit[0], len(hit)-1, by)
	f.Remedy = net.direct(n, hit, by)
	return f
}

// lostAnswers returns the kinds of probes by which a peer gets no answer from the node's pods. Where the openings are rewritten on their
// way as well, the answers go to who did that.
func (net *network) lostAnswers(n *node, peer string) (kinds []string) {
	if p := net.byName[peer]; p != nil && p.byRelays(n.name(), (*relay).catches) {
		return nil
	}
	loses := func(proto uint8) bool {
		return n.byRelays(peer, func(r *relay, l leg) bool { return r.loses(l, proto) })
	}
	if loses(protoTCP) {
		kinds = append(kinds, evidence.ProbePod, evidence.ProbeService, evidence.ProbeNodePort, evidence.ProbeLarge)
	}
	if loses(protoUDP) {
		kinds = append(kinds, evidence.ProbeDNS)
	}
	return kinds
}

// detourLines quote the way of the first leg, and the rules that rewrite.
func (net *network) detourLines(n *node, l leg, more int, by []*relay) []detectors.Line {
	text := fmt.Sprintf("%s: leads to %s", l.first.Text(), strings.Join(net.next(n, l.first), ", "))
	if more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	lines := []detectors.Line{{File: evidence.NodeFile(n.name(), evidence.RouteFile), At: l.first.Pos, Text: text}}
	if f, astray := n.frameOf(l.first); astray {
		lines = append(lines, f.lines...)
	}
	for i, r := range by {
		if slices.Contains(by[:i], r) {
			continue
		}
		for _, o := range r.caught {
			lines = append(lines, rules.Quote(r.name(), o.Rule, fmt.Sprintf("%s: %s (rewrites %s)", placeInFile(o.Rule), o.Rule.Text, o.Traffic)))
		}
		lines = append(lines, detectors.Line{File: evidence.NodeFile(r.name(), evidence.RouteFile), At: r.legs[0].on.Pos, Text: r.legs[0].on.Text()})
	}
	lines = append(lines, flannel.PodLeaseLine(n.lease), flannel.PodLeaseLine(by[0].lease))
	return append(lines, flannel.PodLeaseLine(l.peer))
}

// direct leads a node's packets straight to the peers by the routes and entries that flannel makes with VXLAN (vxlan_network.go:
// handleSubnetEvents). A detour by another device may be wanted: there the relays let the packets pass as they are.
func (net *network) direct(n *node, hit []leg, by []*relay) []detectors.Command {
	var commands []detectors.Command
	for i, l := range hit {
		cidr := netip.MustParsePrefix(l.peer.PodCIDR)
		switch {
		case l.peer.BackendType != "vxlan" || !flannel.IsLink(l.first.Dev):
			shields := by[i].letPass(n, l)
			if shields == nil {
				return nil
			}
			commands = detectors.AddCommands(commands, shields...)
		case l.first.Gateway == cidr.Addr().String():
			// The route is right, so the entries are not.
			entries := net.tunnel.entriesFor(n.name(), l.peer.Node)
			if entries == nil {
				return nil
			}
			commands = detectors.AddCommands(commands, entries...)
		case l.first.Dst.Bits() > cidr.Bits():
			commands = detectors.AddCommands(commands, n.on("the other routes lead to these pods as well", "ip", "route", "del", l.first.Dst.String(), "via", l.first.Gateway, "dev", l.first.Dev))
		default:
			commands = detectors.AddCommands(commands, n.on(fmt.Sprintf("packets to %s's pods go straight to it", l.peer.Node), "ip", "route", "replace", cidr.String(),
				"via", cidr.Addr().String(), "dev", n.paths.table.FlannelLink(l.peer.VNI), "onlink"))
		}
	}
	return commands
}

// letPass is shield for what a relay sends on.
func (r *relay) letPass(from *node, l leg) []detectors.Command {
	specs, tops := []shieldSpec{{src: from.lease.PodCIDR, dst: l.peer.PodCIDR, dev: l.on.Dev}}, r.topsOf(r.caught)
	healed, err := r.withShields(tops, specs)
	if err != nil || slices.ContainsFunc(rewritten(iptables.Evaluate(r.asked, healed...)), func(o iptables.Outcome) bool { return o.Traffic.Reaches(l.dst) }) {
		return nil
	}
	return r.shieldCommands(tops, specs)
}
