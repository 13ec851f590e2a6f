package iptables

import (
	"net/netip"
	"slices"
	"strings"
)

// KnownSet is what is known of the entries of an ipset (ipset(8)).
type KnownSet struct {
	// Has are addresses of which an entry is, and Lacks those of which none is, in the first field of entries. What has more fields
	// may match none of the packets to or from the addresses of Has, unless it is Whole: then it matches all of them.
	Has, Lacks []netip.Prefix
	Whole      bool
	// Hairpin says that entries have the same address in the first and in the third field.
	Hairpin bool
}

// ipset is the condition of `-m set`.
type ipset struct {
	name string
	// fromSrc says of each field of the entries that the packet's source is compared with it, not the destination.
	fromSrc []bool
}

// readSet reads what follows --match-set: a name, and a direction for each field of the entries.
func (p *parser) readSet(r *Rule, not bool) bool {
	name, _ := p.next()
	directions, ok := p.next()
	if !ok {
		return false
	}
	set := &ipset{name: name}
	for d := range strings.SplitSeq(directions, ",") {
		if d != "src" && d != "dst" {
			return false
		}
		set.fromSrc = append(set.fromSrc, d == "src")
	}
	r.matches = append(r.matches, match{kind: matchSet, not: not, ipset: set})
	return true
}

// mayDoubt reports whether it may not be known if a packet matches the rule.
func (r *Rule) mayDoubt() bool {
	return r.unclear != "" || slices.ContainsFunc(r.matches, func(m match) bool { return m.kind == matchSet })
}

// matchSet splits f by what is known of the set. The rest may match or not.
func (w *walker) matchSet(r *Rule, m *match, f *flow) (yes, no []flow) {
	known := w.sets[m.ipset.name]
	first := func(f *flow, addrs []netip.Prefix) (fits, rest []flow) {
		if m.ipset.fromSrc[0] {
			return f.restrictSrc(r, prefixSet(addrs), false)
		}
		return f.restrictDst(prefixSet(addrs), false)
	}
	no, open := first(f, known.Lacks)
	for i := range open {
		flows := []flow{open[i]}
		if len(m.ipset.fromSrc) == 1 || known.Whole {
			has, rest := first(&open[i], known.Has)
			yes, flows = append(yes, has...), rest
		}
		for j := range flows {
			if known.Hairpin && m.ipset.isHairpin() && flows[j].leavesItsSource() {
				no = append(no, flows[j])
				continue
			}
			y, n := flows[j].both(Doubt{r, "not known: what is in the set " + clip(m.ipset.name)})
			yes, no = append(yes, y...), append(no, n...)
		}
	}
	if m.not {
		return no, yes
	}
	return yes, no
}

// isHairpin reports whether the first and the third field are compared with different ends of the packet.
func (s *ipset) isHairpin() bool { return len(s.fromSrc) == 3 && s.fromSrc[0] != s.fromSrc[2] }

// leavesItsSource reports whether none of the packets goes to the address that it comes from.
func (f *flow) leavesItsSource() bool {
	to := f.box[dimDst]
	if f.newDst != nil {
		to = set{{*f.newDst, *f.newDst}}
	}
	return f.newSrc == nil && len(f.box[dimSrc].and(to)) == 0
}
