package iptables

import (
	"cmp"
	"slices"
	"sort"
)

// span is all numbers from lo to hi, both included.
type span struct{ lo, hi uint32 }

// set is a set of numbers: addresses, ports or protocols. Its spans are sorted, disjoint and not adjacent. Sets are never
// changed once made, so they are shared freely.
type set []span

// all is every 32-bit number.
var all = set{{0, 1<<32 - 1}}

// newSet returns the union of spans, in any order.
func newSet(spans ...span) set {
	spans = slices.Clone(spans)
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.lo, b.lo) })
	var s set
	for _, p := range spans {
		if n := len(s); n > 0 && (p.lo <= s[n-1].hi || p.lo == s[n-1].hi+1) {
			s[n-1].hi = max(s[n-1].hi, p.hi)
			continue
		}
		s = append(s, p)
	}
	return s
}

// meets reports whether s has a number of p.
func (s set) meets(p span) bool {
	if len(s) == 1 {
		return s[0].lo <= p.hi && p.lo <= s[0].hi
	}
	i := sort.Search(len(s), func(i int) bool { return s[i].hi >= p.lo })
	return i < len(s) && s[i].lo <= p.hi
}

// has reports whether n is in s.
func (s set) has(n uint32) bool { return s.meets(span{n, n}) }

// within reports whether every number of s is in t.
func (s set) within(t set) bool {
	i := 0
	for _, p := range s {
		for i < len(t) && t[i].hi < p.lo {
			i++
		}
		if i == len(t) || t[i].lo > p.lo || t[i].hi < p.hi {
			return false
		}
	}
	return true
}

// and returns what s and t have in common.
func (s set) and(t set) set {
	if s.within(t) {
		return s
	}
	var out set
	for i, j := 0, 0; i < len(s) && j < len(t); {
		if lo, hi := max(s[i].lo, t[j].lo), min(s[i].hi, t[j].hi); lo <= hi {
			out = append(out, span{lo, hi})
		}
		if s[i].hi < t[j].hi {
			i++
		} else {
			j++
		}
	}
	return out
}

// minus returns what of s is not in t.
func (s set) minus(t set) set {
	var out set
	j := 0
	for _, p := range s {
		for j < len(t) && t[j].hi < p.lo {
			j++
		}
		lo, rest := p.lo, true
		for k := j; rest && k < len(t) && t[k].lo <= p.hi; k++ {
			if t[k].lo > lo {
				out = append(out, span{lo, t[k].lo - 1})
			}
			if t[k].hi >= p.hi {
				rest = false
				break
			}
			lo = t[k].hi + 1
		}
		if rest {
			out = append(out, span{lo, p.hi})
		}
	}
	return out
}

// or returns the union of s and t.
func (s set) or(t set) set {
	return newSet(append(slices.Clone(s), t...)...)
}

// single returns the only number of s, if there is just one.
func (s set) single() (n uint32, ok bool) {
	if len(s) == 1 && s[0].lo == s[0].hi {
		return s[0].lo, true
	}
	return 0, false
}

// count returns how many numbers are in s, which does not have all 32-bit numbers.
func (s set) count() (n uint32) {
	for _, p := range s {
		n += p.hi - p.lo + 1
	}
	return n
}
