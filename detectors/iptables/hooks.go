package iptables

import "slices"

// hookOrder says which world's rules come first at a hook where both have a table: at equal priority it is the one that
// was registered last, which no file shows.
type hookOrder uint8

const (
	orderUnknown hookOrder = iota
	// nftFirst is what a reload of nft's tables leads to. In security, legacy's still come first: iptables-nft registers its
	// chains with priority 150 there (1.8.9), and not with the kernel's NF_IP_PRI_SECURITY, which is 50.
	nftFirst
)

// The places that packets meet, by the priorities of include/uapi/linux/netfilter_ipv4.h. Connection tracking is asked
// between raw and mangle. The routing table is asked after PREROUTING, and again after OUTPUT where a rule there has changed
// the destination: until then, OUTPUT sees the interface of the old one (nf_nat_ipv4_local_fn in nf_nat_proto.c).
var (
	rawPrerouting = place{table: "raw", chain: "PREROUTING", seesIn: true}
	rawOutput     = place{table: "raw", chain: "OUTPUT", seesOut: true}

	prerouting = []place{
		{table: "mangle", chain: "PREROUTING", seesIn: true},
		{table: "nat", chain: "PREROUTING", seesIn: true},
	}
	input = []place{
		{table: "mangle", chain: "INPUT", seesIn: true},
		{table: "filter", chain: "INPUT", seesIn: true},
	}
	securityInput = place{table: "security", chain: "INPUT", seesIn: true}
	natInput      = place{table: "nat", chain: "INPUT", seesIn: true}

	output = []place{
		{table: "mangle", chain: "OUTPUT", seesOut: true},
		{table: "nat", chain: "OUTPUT", seesOut: true},
		{table: "filter", chain: "OUTPUT", seesOut: true},
		{table: "security", chain: "OUTPUT", seesOut: true},
	}
	forwarding = []place{
		{table: "mangle", chain: "FORWARD", seesIn: true, seesOut: true},
		{table: "filter", chain: "FORWARD", seesIn: true, seesOut: true},
		{table: "security", chain: "FORWARD", seesIn: true, seesOut: true},
	}
	postrouting = []place{
		{table: "mangle", chain: "POSTROUTING", seesIn: true, seesOut: true},
		{table: "nat", chain: "POSTROUTING", seesIn: true, seesOut: true},
	}
)

// carry carries flows through everything that they meet, by whether they come in, go out, or both.
func (w *walker) carry(flows []flow) {
	var arriving, made []flow
	for _, f := range flows {
		if f.in == "" {
			made = append(made, f)
		} else {
			arriving = append(arriving, f)
		}
	}
	arriving = w.hooks(prerouting, w.track(w.hook(rawPrerouting, arriving)))
	made = w.hooks(output, w.track(w.hook(rawOutput, made)))
	var forwarded, local, leaving []flow
	for _, f := range w.route(append(arriving, made...)) {
		switch {
		case f.in == "" && f.out == "":
			w.endUnknown(Doubt{Why: "packets of the machine to itself are not followed"}, f)
		case f.out == "":
			local = append(local, f)
		case f.in == "":
			leaving = append(leaving, f)
		default:
			forwarded = append(forwarded, f)
		}
	}
	leaving = append(w.hooks(forwarding, forwarded), leaving...)
	for _, f := range append(w.hooks(postrouting, leaving), w.securityAndNAT(w.hooks(input, local))...) {
		if f.newSrc != nil {
			w.end(Rewritten, f.newSrc, f.newSrc.target.nat.text, f)
			continue
		}
		w.end(Kept, nil, "", f)
	}
}

// track is connection tracking.
func (w *walker) track(flows []flow) []flow {
	for i := range flows {
		f := &flows[i]
		switch {
		case f.track != notYetTracked:
		case w.state == Established:
			f.track, f.connmarkUnknown = established, ^uint32(0)
		default:
			f.track = tracked
		}
	}
	return flows
}

// route finds the way out of packets that have a new destination.
func (w *walker) route(flows []flow) (on []flow) {
	for _, f := range flows {
		if f.newDst == nil {
			on = append(on, f)
			continue
		}
		i := slices.IndexFunc(w.to, func(s side) bool { return s.addrs.has(*f.newDst) })
		if i < 0 {
			w.end(Redirected, f.redirectedBy, addr4(*f.newDst).String(), f)
			continue
		}
		f.out = w.to[i].dev
		on = append(on, f)
	}
	return on
}

// stop is a world's base chain at a place.
type stop struct {
	at    place
	rules *Rules
}

// stops returns the stops at a place in an order that is known, or in one of both.
func (w *walker) stops(at place) (here []stop) {
	for _, r := range w.worlds {
		if r.actsAt(at) {
			here = append(here, stop{at, r})
		}
	}
	if w.order == nftFirst && len(here) == 2 && (here[0].rules.world == NFT) == (at.table == "security") {
		slices.Reverse(here)
	}
	return here
}

// orders returns all orders in which stops at one place may come.
func (w *walker) orders(here []stop) [][]stop {
	if w.order != orderUnknown || len(here) < 2 {
		return [][]stop{here}
	}
	swapped := slices.Clone(here)
	slices.Reverse(swapped)
	return [][]stop{here, swapped}
}

// hooks carries flows through places, one after the other.
func (w *walker) hooks(places []place, flows []flow) []flow {
	for _, at := range places {
		flows = w.hook(at, flows)
	}
	return flows
}

// hook carries flows through one table's base chain in all worlds and returns those that pass.
func (w *walker) hook(at place, flows []flow) []flow {
	why := Doubt{Why: "which of nft's and legacy's " + at.table + " " + at.chain + " comes first is not in the files"}
	return w.inAnyOrder(why, w.orders(w.stops(at)), flows)
}

// securityAndNAT carries flows through the last two tables of INPUT. That of nft's security comes before or after nat, by
// the priority with which iptables-nft has registered it (see nftFirst).
func (w *walker) securityAndNAT(flows []flow) []flow {
	security, nat := w.stops(securityInput), w.stops(natInput)
	late := slices.IndexFunc(security, func(s stop) bool { return s.rules.world == NFT })
	if late < 0 || len(nat) == 0 {
		return w.hook(natInput, w.hook(securityInput, flows))
	}
	others := slices.Delete(slices.Clone(security), late, late+1)
	var all [][]stop
	for _, n := range w.orders(nat) {
		all = append(all, slices.Concat(others, n, security[late:late+1]))
		if w.order == orderUnknown {
			for _, s := range w.orders(security) {
				all = append(all, slices.Concat(s, n))
			}
		}
	}
	return w.inAnyOrder(Doubt{Why: "in which order nft's and legacy's security and nat INPUT come is not in the files"}, all, flows)
}

// inAnyOrder carries flows through stops, of which all orders are given that are possible.
func (w *walker) inAnyOrder(why Doubt, orders [][]stop, flows []flow) []flow {
	if len(orders[0]) == 0 || len(flows) == 0 {
		return flows
	}
	w.changed = false
	passed, done := w.ordered(orders[0], flows)
	// Where all packets have met all rules and nothing was changed, the others do the same.
	if w.changed || len(done) > 0 {
		passed, done = w.compareOrders(why, orders[1:], flows, passed, done)
	}
	w.done = append(w.done, done...)
	return passed
}

// compareOrders tries other orders than the one in which flows have passed or were done.
func (w *walker) compareOrders(why Doubt, orders [][]stop, flows, passed []flow, done []final) ([]flow, []final) {
	var others []passage
	for _, o := range orders {
		p, d := w.ordered(o, flows)
		others = append(others, passage{p, d})
	}
	for _, other := range others {
		switch {
		case w.changed:
			passed, done = eitherOrder(why, passed, other.passed, done, other.done)
		case w.filtering:
			// The same packets pass, but what stops the others may not be the same.
			done = w.sameEnds(why, done, other.done)
		}
	}
	return passed, done
}

// passage is what becomes of flows in one order.
type passage struct {
	passed []flow
	done   []final
}

// ordered carries flows through stops in the order given.
func (w *walker) ordered(stops []stop, flows []flow) (passed []flow, done []final) {
	before := w.done
	w.done = nil
	passed = slices.Clone(flows)
	for _, s := range stops {
		w.at = s.at
		// In nat tables, only the first packet of a connection is looked at, and not if another world has decided.
		var asked, skip []flow
		for _, f := range passed {
			if w.at.table == "nat" && (f.track == untracked || f.track == established || f.bound) {
				skip = append(skip, f)
			} else {
				asked = append(asked, f)
			}
		}
		w.accepted = nil
		s.rules.walk(w, asked)
		passed = append(join(w.accepted), skip...)
	}
	done, w.done = w.done, before
	for i := range passed {
		passed[i].bound = false
	}
	return passed, done
}

// eitherOrder returns what passes and what ends in either of two orders. What is the same in both is in no doubt.
func eitherOrder(why Doubt, passed1, passed2 []flow, done1, done2 []final) ([]flow, []final) {
	passed := union(passed1, passed2, why, func(f flow) string { return f.key(-1) }, func(f *flow) *[]Doubt { return &f.doubts })
	return passed, union(done1, done2, why, final.key, func(e *final) *[]Doubt { return &e.doubts })
}

// sameEnds returns the ends of packets that are stopped in either of two orders. Those that are stopped by something else in
// the other order have both ends, in doubt.
func (w *walker) sameEnds(why Doubt, first, second []final) (out []final) {
	w.steps += len(first) * len(second)
	if w.steps >= maxSteps {
		return first
	}
	for _, a := range first {
		for _, b := range second {
			common := a.box.and(&b.box)
			if common.empty() {
				continue
			}
			a, b := a, b
			a.box, b.box = common, common
			if a.reason() == b.reason() {
				a.doubts = with(a.doubts, b.doubts...)
				out = append(out, a)
				continue
			}
			a.doubts, b.doubts = with(a.doubts, why), with(b.doubts, why)
			out = append(out, a, b)
		}
	}
	return out
}

// union returns what is in a or b; what is in only one of them is in doubt.
func union[T any](a, b []T, why Doubt, key func(T) string, doubts func(*T) *[]Doubt) (out []T) {
	inA := map[string]int{}
	for i, v := range a {
		inA[key(v)] = i
		*doubts(&v) = with(*doubts(&v), why)
		out = append(out, v)
	}
	for _, v := range b {
		i, both := inA[key(v)]
		if !both {
			*doubts(&v) = with(*doubts(&v), why)
			out = append(out, v)
			continue
		}
		*doubts(&out[i]) = with(*doubts(&a[i]), *doubts(&v)...)
	}
	return out
}

// actsAt reports whether the world has anything at a place that can change the way of a packet.
func (r *Rules) actsAt(at place) bool {
	if r.foreign[at.table] {
		return true
	}
	t := r.tables[at.table]
	if t == nil {
		return false
	}
	c := t.chains[at.chain]
	return c != nil && (len(c.rules) > 0 || c.policy == policyDrop)
}

// walk carries flows through the world's base chain at w.at.
func (r *Rules) walk(w *walker, flows []flow) {
	if r.foreign[w.at.table] {
		w.endUnknown(Doubt{Why: "native nft rules in table " + w.at.table + " are not in the file"}, flows...)
		return
	}
	w.base(r.tables[w.at.table].chains[w.at.chain], flows)
}
