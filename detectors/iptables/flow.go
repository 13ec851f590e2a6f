package iptables

import (
	"slices"
)

// flow is a set of packets that have come the same way up to some place: they are a box of what came in, and for all of
// them the rules have done the same since.
type flow struct {
	box
	// in and out are the interfaces by which they come and go, "" where the machine itself sends or receives them.
	in, out string
	// mark is known, since it is that of the query at first, but for what is copied from an unknown connection mark: the bits of markUnknown.
	mark, markUnknown uint32
	// connmark is 0 when a new connection comes in; of an established one, no bit is known.
	connmark, connmarkUnknown uint32
	track                     tracking
	// newDst and newDport, where they are not nil, are the destination that all of them were given instead of their own.
	newDst, newDport *uint32
	// redirectedBy is the rule that did so.
	redirectedBy *Rule
	// newSrc is the rule that gave them another source, nil if none did.
	newSrc *Rule
	// newSrcTo is that source, as text.
	newSrcTo string
	// bound says that a nat table has decided at the present hook.
	bound bool
	// doubts say what was assumed on the way here, since it is not known: other flows have the same packets then.
	doubts []Doubt
}

// tracking is what connection tracking knows of the first packet of a connection.
type tracking uint8

const (
	notYetTracked tracking = iota
	tracked
	untracked
	trackedDNAT
	established
	stray
)

// hasConnection reports whether the packet belongs to a connection, which has marks.
func (t tracking) hasConnection() bool { return t == tracked || t == trackedDNAT || t == established }

// state returns what the conntrack match sees (net/netfilter/xt_conntrack.c): before connection tracking, a packet is
// INVALID.
func (t tracking) state() ctState {
	switch t {
	case notYetTracked:
		return ctInvalid
	case untracked:
		return ctUntracked
	case trackedDNAT:
		return ctNew | ctDNAT
	case established:
		return ctEstablished
	case stray:
		return ctInvalid
	}
	return ctNew
}

// maxDoubts is how many reasons are kept for one flow; more say nothing new.
const maxDoubts = 4

// with returns the doubts and more. Where they are too many, the latest are kept: what decides comes late.
func with(doubts []Doubt, more ...Doubt) []Doubt {
	for _, d := range more {
		if slices.Contains(doubts, d) {
			continue
		}
		if len(doubts) == maxDoubts {
			doubts = doubts[1:]
		}
		doubts = append(slices.Clip(doubts), d)
	}
	return doubts
}

// restrict returns the parts of f with numbers of s, and without, in the given dimension; not exchanges them.
func (f *flow) restrict(d int, s set, not bool) (fits, rest []flow) {
	inside := f.box[d].and(s)
	if len(inside) > 0 {
		part := *f
		part.box[d] = inside
		fits = []flow{part}
	}
	if outside := f.box[d].minus(s); len(outside) > 0 {
		part := *f
		part.box[d] = outside
		rest = []flow{part}
	}
	if not {
		return rest, fits
	}
	return fits, rest
}

// decide returns f as one of two answers.
func (f *flow) decide(fits bool) (yes, no []flow) {
	if fits {
		return []flow{*f}, nil
	}
	return nil, []flow{*f}
}

// both returns f as both answers, for the given reason.
func (f *flow) both(d Doubt) (yes, no []flow) {
	g := *f
	g.doubts = with(f.doubts, d)
	return []flow{g}, []flow{g}
}

// bothWays splits flows by what is not known: each of them is in both parts, with the doubt.
func bothWays(flows []flow, d Doubt) (yes, no []flow) {
	for i := range flows {
		y, n := flows[i].both(d)
		yes, no = append(yes, y...), append(no, n...)
	}
	return yes, no
}

// restrictDst is restrict for the destination that the packets have now.
func (f *flow) restrictDst(s set, not bool) (fits, rest []flow) {
	if f.newDst != nil {
		return f.decide(s.has(*f.newDst) != not)
	}
	return f.restrict(dimDst, s, not)
}

// restrictSrc is restrict for the source that the packets have now; r is the rule that asks.
func (f *flow) restrictSrc(r *Rule, s set, not bool) (fits, rest []flow) {
	if f.newSrc != nil {
		return f.both(Doubt{r, "not followed: the source that NAT gives"})
	}
	return f.restrict(dimSrc, s, not)
}

// restrictSport is restrictSrc for ports, which SNAT may change, too.
func (f *flow) restrictSport(r *Rule, s set, not bool) (fits, rest []flow) {
	if f.newSrc != nil {
		return f.both(Doubt{r, "not followed: the source port that NAT gives"})
	}
	return f.restrict(dimSport, s, not)
}

// decideMark compares a mark of which the bits of unknown are not known.
func (f *flow) decideMark(r *Rule, m *match, mark, unknown uint32, what string) (yes, no []flow) {
	if (mark^m.value)&m.mask&^unknown != 0 || m.value&^m.mask != 0 {
		return f.decide(m.not)
	}
	if m.mask&unknown != 0 {
		return f.both(Doubt{r, "not known: the " + what + " of an established connection"})
	}
	return f.decide(!m.not)
}

func (f *flow) restrictDport(s set, not bool) (fits, rest []flow) {
	if f.newDport != nil {
		return f.decide(s.has(*f.newDport) != not)
	}
	return f.restrict(dimDport, s, not)
}

// flowKey is everything of a flow but its doubts and one dimension, for comparison.
type flowKey struct {
	in, out                                      string
	mark, markUnknown, connmark, connmarkUnknown uint32
	track                                        tracking
	// newDst and newDport are -1 where the flow's are nil.
	newDst, newDport int64
	newSrc           *Rule
	newSrcTo         string
	bound            bool
	box              string
}

// key leaves out the dimension skip.
func (f *flow) key(skip int) flowKey {
	number := func(n *uint32) int64 {
		if n == nil {
			return -1
		}
		return int64(*n)
	}
	return flowKey{
		f.in, f.out, f.mark, f.markUnknown, f.connmark, f.connmarkUnknown, f.track, number(f.newDst), number(f.newDport),
		f.newSrc, f.newSrcTo, f.bound, f.box.key(skip),
	}
}

// dedupe makes one of flows that are the same but for their doubts.
func dedupe(flows []flow) []flow {
	byKey := make(map[flowKey]int, len(flows))
	out := flows[:0:0]
	for _, f := range flows {
		key := f.key(-1)
		if i, ok := byKey[key]; ok {
			out[i].doubts = with(out[i].doubts, f.doubts...)
			continue
		}
		byKey[key] = len(out)
		out = append(out, f)
	}
	return out
}

// join puts flows together that differ in one dimension of their box only, so that what rules have split comes together
// again where they made no difference.
func join(flows []flow) []flow {
	for changed := true; changed && len(flows) > 1; {
		changed = false
		for d := range dims {
			byKey := make(map[flowKey]int, len(flows))
			out := flows[:0:0]
			for _, f := range flows {
				key := f.key(d)
				if i, ok := byKey[key]; ok && slices.Equal(out[i].doubts, f.doubts) {
					out[i].box[d] = out[i].box[d].or(f.box[d])
					changed = true
					continue
				}
				byKey[key] = len(out)
				out = append(out, f)
			}
			flows = out
		}
	}
	return flows
}
