package iptables

import "fmt"

// place is where in the kernel rules are asked.
type place struct {
	// table is that of iptables or, of nft's own chains, their type; chain is the hook.
	table, chain string
	// prio is the priority at the hook. Chains of type nat have inner among themselves.
	prio, inner int
	// seesIn and seesOut say whether the packet's interfaces are known there.
	seesIn, seesOut bool
}

// mayMatch is a quick look at whether any packet of f can match r: most rules of a node are for addresses that are not
// asked for.
func (r *Rule) mayMatch(f *flow) bool {
	if m := &r.dst; m.used && !m.not {
		if f.newDst == nil {
			if !f.box[dimDst].meets(m.span) {
				return false
			}
		} else if *f.newDst < m.span.lo || *f.newDst > m.span.hi {
			return false
		}
	}
	if m := &r.src; m.used && !m.not && f.newSrc == nil && !f.box[dimSrc].meets(m.span) {
		return false
	}
	if m := &r.proto; m.used && !m.not && !f.box[dimProto].has(uint32(m.number)) {
		return false
	}
	return true
}

func (r *Rule) mayMatchAny(flows []flow) bool {
	for i := range flows {
		if r.mayMatch(&flows[i]) {
			return true
		}
	}
	return false
}

// split returns the parts of f that match r at a place, and those that don't. What is not known is in both, with a doubt.
func (w *walker) split(r *Rule, f *flow) (matched, rest []flow) {
	matched = []flow{*f}
	narrow := func(test func(*flow) (yes, no []flow)) {
		var next []flow
		for i := range matched {
			yes, no := test(&matched[i])
			next = append(next, yes...)
			rest = append(rest, no...)
		}
		matched = next
	}
	if r.dst.used {
		narrow(func(f *flow) (yes, no []flow) { return f.restrictDst(set{r.dst.span}, r.dst.not) })
	}
	if r.src.used {
		narrow(func(f *flow) (yes, no []flow) { return f.restrictSrc(r, set{r.src.span}, r.src.not) })
	}
	if r.in.used {
		narrow(func(f *flow) (yes, no []flow) { return w.matchIn(r, f) })
	}
	if r.out.used {
		narrow(func(f *flow) (yes, no []flow) { return f.decide(r.out.matches(w.outName(f))) })
	}
	if r.proto.used {
		number := uint32(r.proto.number)
		narrow(func(f *flow) (yes, no []flow) { return f.restrict(dimProto, set{{number, number}}, r.proto.not) })
	}
	for i := range r.matches {
		narrow(func(f *flow) (yes, no []flow) { return w.matchOne(r, &r.matches[i], f) })
	}
	if r.unclear != "" {
		narrow(func(f *flow) (yes, no []flow) { return f.both(Doubt{r, "not understood: " + r.unclear}) })
	}
	return matched, rest
}

func (w *walker) inName(f *flow) string {
	if w.at.seesIn {
		return f.in
	}
	return ""
}

func (w *walker) outName(f *flow) string {
	if w.at.seesOut {
		return f.out
	}
	return ""
}

// matchIn knows that it is not known everywhere whether packets have an input interface in POSTROUTING.
func (w *walker) matchIn(r *Rule, f *flow) (yes, no []flow) {
	newer := r.in.matches(w.inName(f))
	if w.at.chain == "POSTROUTING" && !w.inAtPostrouting && newer != r.in.matches("") {
		return f.both(Doubt{r, "-i in POSTROUTING depends on the kernel's version"})
	}
	return f.decide(newer)
}

// matchOne splits f by one condition of r.
func (w *walker) matchOne(r *Rule, m *match, f *flow) (yes, no []flow) {
	switch m.kind {
	case matchSport:
		yes, no = f.restrictSport(r, m.ports, m.not)
		if m.merged == nil {
			return yes, no
		}
		return orMerged(r, yes, no, func(f *flow) (yes, no []flow) { return f.restrictDport(m.merged, false) })
	case matchDport:
		yes, no = f.restrictDport(m.ports, m.not)
		if m.merged == nil {
			return yes, no
		}
		return orMerged(r, yes, no, func(f *flow) (yes, no []flow) { return f.restrictSport(r, m.merged, false) })
	case matchEitherPort:
		either, rest := f.restrictSport(r, m.ports, false)
		for i := range rest {
			byDport, neither := rest[i].restrictDport(m.ports, false)
			either, no = append(either, byDport...), append(no, neither...)
		}
		if m.not {
			return no, either
		}
		return either, no
	case matchFlags:
		if w.state == Established {
			return f.both(Doubt{r, "not known: the TCP flags of an established connection's packet"})
		}
		return f.decide((w.state.flags()&m.mask == m.value) != m.not)
	case matchMark:
		return f.decideMark(r, m, f.mark, f.markUnknown, "connection mark, which the mark was taken from,")
	case matchConnmark:
		// Without a connection, neither a mark nor its negation matches (connmark_mt in xt_connmark.c).
		if !f.track.hasConnection() {
			return f.decide(false)
		}
		return f.decideMark(r, m, f.connmark, f.connmarkUnknown, "connection mark")
	case matchState:
		state := f.track.state()
		if f.newSrc != nil {
			state |= ctSNAT
		}
		return f.decide((state&m.states != 0) != m.not)
	case matchAddrType:
		return w.matchAddrType(r, m.addr, f)
	case matchSet:
		return w.matchSet(r, m, f)
	case matchSrcRange:
		return f.restrictSrc(r, m.addrs, m.not)
	case matchDstRange:
		return f.restrictDst(m.addrs, m.not)
	case matchRPFilter:
		if f.in == "" {
			return f.both(Doubt{r, "not known: the way back to the machine's own addresses"})
		}
		// A Side's addresses are behind its interface: the way back leads there.
		return f.decide(!m.not)
	}
	panic(fmt.Sprintf("match kind %d", m.kind))
}

// matchAddrType follows addrtype_mt_v1 in net/netfilter/xt_addrtype.c.
func (w *walker) matchAddrType(r *Rule, a *addrType, f *flow) (yes, no []flow) {
	if w.types == nil {
		return f.both(Doubt{r, "not known: which addresses the machine has"})
	}
	dev := ""
	switch {
	case a.limitIn:
		dev = w.inName(f)
	case a.limitOut:
		dev = w.outName(f)
	}
	if (a.limitIn || a.limitOut) && dev == "" {
		return f.both(Doubt{r, "not known: the interface that addrtype is limited to"})
	}
	yes = []flow{*f}
	if a.src != 0 {
		yes, no = f.restrictSrc(r, w.types.addrs(a.src, dev), a.srcNot)
	}
	if a.dst == 0 {
		return yes, no
	}
	var fits []flow
	for i := range yes {
		y, n := yes[i].restrictDst(w.types.addrs(a.dst, dev), a.dstNot)
		fits, no = append(fits, y...), append(no, n...)
	}
	return fits, no
}
