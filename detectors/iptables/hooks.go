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

// The places that a forwarded packet meets, by the priorities of include/uapi/linux/netfilter_ipv4.h. Connection tracking
// is asked between raw and mangle, the routing table after nat PREROUTING.
var (
	rawPrerouting = place{table: "raw", chain: "PREROUTING", seesIn: true}

	prerouting = []place{
		{table: "mangle", chain: "PREROUTING", seesIn: true},
		{table: "nat", chain: "PREROUTING", seesIn: true},
	}
	forwarding = []place{
		{table: "mangle", chain: "FORWARD", seesIn: true, seesOut: true},
		{table: "filter", chain: "FORWARD", seesIn: true, seesOut: true},
		{table: "security", chain: "FORWARD", seesIn: true, seesOut: true},
		{table: "mangle", chain: "POSTROUTING", seesIn: true, seesOut: true},
		{table: "nat", chain: "POSTROUTING", seesIn: true, seesOut: true},
	}
)

// forward carries flows through everything that forwarded packets meet.
func (w *walker) forward(flows []flow) {
	flows = w.hook(rawPrerouting, flows)
	for i := range flows {
		if flows[i].track == notYetTracked {
			flows[i].track = tracked
		}
	}
	for _, at := range prerouting {
		flows = w.hook(at, flows)
	}
	flows = w.route(flows)
	for _, at := range forwarding {
		flows = w.hook(at, flows)
	}
	w.end(Kept, nil, "", flows...)
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

// hook carries flows through one table's base chain in all worlds and returns those that pass.
func (w *walker) hook(at place, flows []flow) []flow {
	var here []*Rules
	for _, r := range w.worlds {
		if r.actsAt(at) {
			here = append(here, r)
		}
	}
	if len(here) == 0 {
		return flows
	}
	w.at = at
	swapped := slices.Clone(here)
	slices.Reverse(swapped)
	if w.order == nftFirst && len(here) == 2 && (here[0].world == NFT) == (at.table == "security") {
		here = swapped
	}
	w.changed = false
	passed, done := w.ordered(here, flows)
	if len(here) == 1 || w.order != orderUnknown || !w.changed {
		w.done = append(w.done, done...)
		return passed
	}
	// The order may matter: both are possible.
	passed2, done2 := w.ordered(swapped, flows)
	why := Doubt{Why: "which of nft's and legacy's " + at.table + " " + at.chain + " comes first is not in the files"}
	return w.eitherOrder(why, passed, passed2, done, done2)
}

// ordered carries flows through the worlds in the order given.
func (w *walker) ordered(worlds []*Rules, flows []flow) (passed []flow, done []final) {
	before := w.done
	w.done = nil
	passed = slices.Clone(flows)
	for _, r := range worlds {
		// In nat tables, untracked packets are not looked at, nor those for which another world has decided.
		var asked, skip []flow
		for _, f := range passed {
			if w.at.table == "nat" && (f.track == untracked || f.bound) {
				skip = append(skip, f)
			} else {
				asked = append(asked, f)
			}
		}
		w.accepted = nil
		r.walk(w, asked)
		passed = append(join(w.accepted), skip...)
	}
	done, w.done = w.done, before
	for i := range passed {
		passed[i].bound = false
	}
	return passed, done
}

// eitherOrder returns what passes in either of two orders, and adds to w.done what ends. What is the same in both is in
// no doubt.
func (w *walker) eitherOrder(why Doubt, passed1, passed2 []flow, done1, done2 []final) []flow {
	w.done = append(w.done, union(done1, done2, why, final.key, func(e *final) *[]Doubt { return &e.doubts })...)
	return union(passed1, passed2, why, func(f flow) string { return f.key(-1) }, func(f *flow) *[]Doubt { return &f.doubts })
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
