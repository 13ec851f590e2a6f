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
