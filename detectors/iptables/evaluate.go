package iptables

import (
	"net/netip"
	"slices"
)

// Query asks for the packets that come in at any of From and are routed out at any of To, of any protocol and with any
// ports.
//
// They are the first packets of their connections unless State says otherwise, the only ones for which the kernel asks its
// nat tables: their mark is Mark, their connection mark is 0, connection tracking takes them for NEW, and those of TCP have SYN set and
// no other flag.
type Query struct {
	// From and To may have sides that are the machine itself (see Side). What goes from it to itself is unknown.
	From, To []Side
	// Proto is the protocol by number, 0 for any.
	Proto uint8
	// Dport is the destination port, 0 for any; it has a meaning for protocols with ports.
	Dport uint16
	// Mark is what they have when they come in.
	Mark uint32
	// State says to which connections they belong.
	State State
	// LocalRoutes is the routing table "local", by which addrtype conditions are judged; nil if it is not known. A machine
	// always has some.
	LocalRoutes []LocalRoute
	// Sets says what is known of the entries of ipsets, by their names. iptables-save does not print them.
	Sets map[string]KnownSet
	// InAtPostrouting says that forwarded packets still have the interface by which they came at POSTROUTING, as since Linux 5.7
	// (ip_output in net/ipv4/ip_output.c). Otherwise it is not known whether they have.
	InAtPostrouting bool
	// Only, if it is not nil, restricts the question to one packet.
	Only *Packet
}

// State is what connection tracking says of packets.
type State uint8

// The states.
const (
	// New packets are the first of a connection. VXLAN's are for ever: they have no answer on the same ports, so that
	// connection tracking takes each of them for NEW.
	New State = iota
	// Established packets are later ones of a connection that has had an answer, in either direction, and whose addresses no
	// rule has changed: nat tables are not asked. Their connection mark and TCP flags are not known.
	Established
	// Stray packets are answers to openings that the machine has not seen, since those went another way: SYN-ACKs of TCP, which
	// connection tracking takes for INVALID (tcp_conntracks in nf_conntrack_proto_tcp.c), so that nat tables are not asked.
	Stray
)

// Side is a set of addresses behind one interface, by which the machine also sends to them. No address may be in two of the same list.
type Side struct {
	Addrs []netip.Prefix
	// Except are not among them.
	Except []netip.Prefix
	// Dev is the interface as iptables sees it: the bridge, not its port. It is "" for the machine itself, with all of its
	// addresses: packets from it pass OUTPUT and POSTROUTING, packets to it PREROUTING and INPUT.
	Dev string
}

// Packet is the first packet of a connection: its IPv4 addresses, its protocol by number, and its ports, which have no
// meaning for a protocol without.
type Packet struct {
	Src, Dst     netip.Addr
	Proto        uint8
	Sport, Dport uint16
}

func (p *Packet) box() box {
	one := func(n uint32) set { return set{{n, n}} }
	return box{
		dimSrc: one(number4(p.Src)), dimDst: one(number4(p.Dst)), dimProto: one(uint32(p.Proto)),
		dimSport: one(uint32(p.Sport)), dimDport: one(uint32(p.Dport)),
	}
}

// Verdict says what becomes of packets.
type Verdict string

// The verdicts. Kept and Rewritten are Evaluate's, Passed is Filter's. Evaluate's, but for Unknown, hold for what arrives at
// all: where Outcome.Doubts is not empty, it may be stopped instead. Filter's hold for all of the packets.
const (
	// Kept packets leave with their own source address.
	Kept Verdict = "kept"
	// Rewritten packets leave with another.
	Rewritten Verdict = "rewritten"
	// Passed packets are stopped by no rule and no policy.
	Passed Verdict = "passed"
	// Dropped packets don't leave, and reach no program here. From Filter and with doubts, they may also be rejected.
	Dropped Verdict = "dropped"
	// Rejected packets are dropped, and their sender is told.
	Rejected Verdict = "rejected"
	// Redirected packets go to another destination than those of the query: what becomes of them there is not asked.
	Redirected Verdict = "redirected"
	// Unknown packets meet something that is not understood, and it decides what is asked for: whether they are
	// rewritten, or whether they pass.
	Unknown Verdict = "unknown"
)

// Outcome is what becomes of some of the packets.
type Outcome struct {
	Verdict Verdict
	// Traffic says which packets.
	Traffic Traffic
	// Rule is the one that decided, nil for a policy and for what no rule decides.
	Rule *Rule
	// Policy is the one that dropped them, nil if none did.
	Policy *Policy
	// To is the new address, as text: of the source if Rewritten, of the destination if Redirected. If Rejected, it is what
	// the sender is told, in the words of iptables: icmp-port-unreachable, tcp-reset.
	To string
	// Doubts are what is not understood on the way, so that Rule and To are one of several possibilities. Unknown outcomes
	// have at least one.
	Doubts []Doubt
}

// Doubt is a reason why the way of packets is not known.
type Doubt struct {
	// Rule is the one that is not understood, nil if it is no rule.
	Rule *Rule
	// Why says what is not understood or not known.
	Why string
}

// String says why, and names and quotes the rule.
func (d Doubt) String() string {
	if d.Rule == nil {
		return d.Why
	}
	return d.Why + " (" + d.Rule.String() + ")"
}

// Evaluate says whether rules rewrite the source of the packets of q: each is in the traffic of exactly one of the outcomes.
// Outcomes that rules lead to stand in the order of hooks, Unknown after all others. No side of q may be the machine itself: of
// its own packets, MASQUERADE may leave the source as it is.
func Evaluate(q Query, worlds ...*Rules) []Outcome {
	return evaluate(q, orderUnknown, worlds)
}

// side is a Side as a set.
type side struct {
	addrs set
	dev   string
}

func newSide(s Side) side {
	return side{addrs: prefixSet(s.Addrs).minus(prefixSet(s.Except)), dev: s.Dev}
}

func prefixSet(prefixes []netip.Prefix) set {
	spans := make([]span, len(prefixes))
	for i, p := range prefixes {
		spans[i] = prefixSpan(p)
	}
	return newSet(spans...)
}

func evaluate(q Query, order hookOrder, worlds []*Rules) []Outcome {
	w := &walker{order: order, worlds: worlds}
	whole := w.ask(q)
	return outcomes(w.done, &whole, func(a, b Verdict) bool { return a == Rewritten && b == Kept })
}

// ask carries the packets of q through all rules, and returns their smallest box.
func (w *walker) ask(q Query) box {
	w.state, w.sets, w.inAtPostrouting = q.State, q.Sets, q.InAtPostrouting
	if q.LocalRoutes != nil {
		w.types = newTypeTable(q.LocalRoutes)
	}
	for _, t := range q.To {
		w.to = append(w.to, newSide(t))
	}
	whole := full()
	if q.Only != nil {
		whole = q.Only.box()
	}
	if n := uint32(q.Proto); n != 0 {
		whole[dimProto] = whole[dimProto].and(set{{n, n}})
	}
	if n := uint32(q.Dport); n != 0 {
		whole[dimDport] = whole[dimDport].and(set{{n, n}})
	}
	var flows []flow
	var srcs, dsts set
	for _, f := range q.From {
		from := newSide(f)
		srcs = srcs.or(from.addrs)
		for _, to := range w.to {
			dsts = dsts.or(to.addrs)
			b := whole
			b[dimSrc], b[dimDst] = b[dimSrc].and(from.addrs), b[dimDst].and(to.addrs)
			if !b.empty() {
				flows = append(flows, flow{box: b, in: from.dev, out: to.dev, mark: q.Mark})
			}
		}
	}
	whole[dimSrc], whole[dimDst] = whole[dimSrc].and(srcs), whole[dimDst].and(dsts)
	if len(flows) == 0 {
		return whole
	}
	w.carry(slices.Clone(flows))
	if w.gaveUp {
		w.done = nil
		w.endUnknown(Doubt{Why: "the rules tell too many cases apart"}, flows...)
	}
	return whole
}
