package iptables

import (
	"cmp"
	"slices"
	"strings"
)

// hookOrder says which of several base chains with the same priority comes first: it is the one that was registered last
// (nf_hook_grow in net/netfilter/core.c), which no file shows.
type hookOrder uint8

const (
	orderUnknown hookOrder = iota
	// nftFirst is what a reload of iptables-nft's tables, and of nft's own after them, leads to. In security, legacy's still
	// come first (prioNFTSecurity).
	nftFirst
)

// maxOrders is how many orders of the same chains are tried.
const maxOrders = 24

// stage is base chains between which there is nothing else.
type stage struct {
	// orders are all in which they may come. There is at least one.
	orders [][]stop
	// more says that there are more orders than maxOrders.
	more bool
}

// why says what is not known.
func (s stage) why() Doubt {
	var names []string
	tables := map[string]bool{}
	for _, st := range s.orders[0] {
		names = append(names, st.String())
		tables[st.at.table] = true
		if st.chain.world == Native {
			tables["nft's own"] = true
		}
	}
	at := s.orders[0][0].at
	switch {
	case len(tables) == 1:
		return Doubt{Why: "which of nft's and legacy's " + at.table + " " + at.chain + " comes first is not in the files"}
	case !tables["nft's own"]:
		return Doubt{Why: "in which order nft's and legacy's security and nat " + at.chain + " come is not in the files"}
	}
	slices.Sort(names)
	return Doubt{Why: "which comes first is not in the files: " + strings.Join(names, ", ")}
}

// stage puts stops into all orders that are possible. They are sorted by priority, which decides, but for the table security of
// iptables-nft.
func (w *walker) stage(here []stop) stage {
	sequences := w.sequences(here)
	if w.order == orderUnknown && len(here) > 1 && slices.ContainsFunc(here, stop.lateSecurity) {
		late := slices.Clone(here)
		for i := range late {
			if late[i].lateSecurity() {
				late[i].at.prio = prioNFTSecurity
			}
		}
		slices.SortStableFunc(late, byPrio)
		sequences = append(sequences, w.sequences(late)...)
	}
	if len(sequences) > maxOrders {
		return stage{orders: sequences[:1], more: true}
	}
	return stage{orders: sequences}
}

// sequences returns the orders that keep to the priorities. What has the same may come in any order; the chains of type nat are
// one among the others then. It stops when there are more than maxOrders.
func (w *walker) sequences(here []stop) [][]stop {
	all := [][]stop{nil}
	for len(here) > 0 {
		n := 1
		for n < len(here) && here[n].at.prio == here[0].at.prio {
			n++
		}
		var units [][][]stop // what comes one after the other, each in its own orders
		var nat []stop
		for _, s := range here[:n] {
			if s.at.table == "nat" {
				nat = append(nat, s)
			} else {
				units = append(units, [][]stop{{s}})
			}
		}
		switch {
		case nat == nil:
			all = times(all, w.arrange(units))
		case w.order == nftFirst:
			// The kernel has one hook for all chains of type nat, which is there since the first of them, that of legacy.
			all = times(times(all, w.arrange(units)), w.natOrders(nat))
		default:
			all = times(all, w.arrange(append(units, w.natOrders(nat))))
		}
		here = here[n:]
	}
	return all
}

// natOrders returns the orders of chains of type nat, by their own priorities.
func (w *walker) natOrders(nat []stop) [][]stop {
	all := [][]stop{nil}
	for len(nat) > 0 {
		n := 1
		for n < len(nat) && nat[n].at.inner == nat[0].at.inner {
			n++
		}
		var units [][][]stop
		for _, s := range nat[:n] {
			units = append(units, [][]stop{{s}})
		}
		all = times(all, w.arrange(units))
		nat = nat[n:]
	}
	return all
}

// arrange returns all orders of units.
func (w *walker) arrange(units [][][]stop) [][]stop {
	if w.order == nftFirst {
		// What was registered last comes first: nft's own from the end of their file on, iptables-nft, legacy.
		slices.SortStableFunc(units, func(a, b [][]stop) int {
			return cmp.Or(cmp.Compare(registered(b[0][0]), registered(a[0][0])), cmp.Compare(b[0][0].nth, a[0][0].nth))
		})
		all := [][]stop{nil}
		for _, u := range units {
			all = times(all, u)
		}
		return all
	}
	if len(units) == 0 {
		return [][]stop{nil}
	}
	var all [][]stop
	for i, u := range units {
		rest := slices.Delete(slices.Clone(units), i, i+1)
		all = append(all, times(u, w.arrange(rest))...)
		if len(all) > maxOrders {
			break
		}
	}
	return all
}

// registered numbers the worlds in the order in which nftFirst has them registered.
func registered(s stop) int { return slices.Index([]World{Legacy, NFT, Native}, s.chain.world) }

// times returns each of a with each of b behind it, up to one more than maxOrders.
func times(a, b [][]stop) (out [][]stop) {
	for _, first := range a {
		for _, second := range b {
			if len(out) <= maxOrders {
				out = append(out, slices.Concat(first, second))
			}
		}
	}
	return out
}

// inAnyOrder carries flows through a stage.
func (w *walker) inAnyOrder(s stage, flows []flow) []flow {
	if len(flows) == 0 {
		return flows
	}
	w.changed = false
	passed, done := w.ordered(s.orders[0], flows)
	// Where all packets have met all rules and nothing was changed, the others do the same.
	if w.changed || len(done) > 0 {
		if s.more {
			w.endUnknown(Doubt{Why: s.why().Why + ", and they are too many to try all orders"}, flows...)
			return nil
		}
		passed, done = w.compareOrders(s, flows, passed, done)
	}
	w.done = append(w.done, done...)
	return passed
}

// compareOrders tries other orders than the first, in which flows have passed or were done.
func (w *walker) compareOrders(s stage, flows, passed []flow, done []final) ([]flow, []final) {
	var others []passage
	for _, o := range s.orders[1:] {
		p, d := w.ordered(o, flows)
		others = append(others, passage{p, d})
	}
	for _, other := range others {
		switch {
		case w.changed:
			passed, done = eitherOrder(s.why(), passed, other.passed, done, other.done)
		case w.filtering:
			// The same packets pass, but what stops the others may not be the same.
			done = w.sameEnds(s.why(), done, other.done)
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
			if w.at.table == "nat" && (!f.track.hasConnection() || f.track == established || f.bound) {
				skip = append(skip, f)
			} else {
				asked = append(asked, f)
			}
		}
		w.accepted = nil
		if s.missing {
			w.endUnknown(Doubt{Why: "native nft rules in table " + s.at.table + " are not in the file"}, asked...)
		} else {
			w.base(s.chain, asked)
		}
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
	passed := union(passed1, passed2, why, func(f flow) flowKey { return f.key(-1) }, func(f *flow) *[]Doubt { return &f.doubts })
	return passed, union(done1, done2, why, final.key, func(e *final) *[]Doubt { return &e.doubts })
}

// sameEnds returns the ends of packets that are stopped in either of two orders. Those that are stopped by something else in
// the other order have both ends, in doubt.
func (w *walker) sameEnds(why Doubt, first, second []final) (out []final) {
	w.steps += len(first) * len(second)
	if w.tooMany(0) {
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
func union[T any, K comparable](a, b []T, why Doubt, key func(T) K, doubts func(*T) *[]Doubt) (out []T) {
	inA := map[K]int{}
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
