package iptables

import "slices"

type fieldKind uint8

const (
	fieldSrc fieldKind = iota
	fieldDst
	fieldProto
	fieldSport
	fieldDport
	// fieldOrigSrc and fieldOrigDst are the addresses with which a connection's first packet came in.
	fieldOrigSrc
	fieldOrigDst
	fieldIn
	fieldOut
	fieldMark
	fieldConnmark
	fieldState
	fieldStatus
	fieldDirection
	fieldFlags
	// fieldSrcType and fieldDstType are the types of addresses by the routing table "local".
	fieldSrcType
	fieldDstType
	// fieldFixed is a number that all IPv4 packets have.
	fieldFixed
	// fieldNever is something that no IPv4 packet has.
	fieldNever
	// fieldUnclear is something that is not understood.
	fieldUnclear
)

// field is something of a packet that rules of nft's own ask for.
type field struct {
	kind fieldKind
	// protos are the protocols that have it, nil for all.
	protos set
	// mask is applied before numbers are compared.
	mask uint32
	// limitIn and limitOut say that an address's type is the one that it has on an interface.
	limitIn, limitOut bool
	// fixed is the number of fieldFixed.
	fixed uint32
	// text quotes it.
	text string
}

// operand is what a field may be: one of some numbers or, of interfaces, one of some names.
type operand struct {
	nums  set
	names []ifMatch
}

// condition asks whether fields together are one of several alternatives. iptables' matches (match.go) are not read into conditions: what
// a negation says of packets without the field, and what tracking's states are, differ, and the quick look at the spans of a rule's
// addresses is what makes tens of thousands of kube-proxy's rules cheap.
type condition struct {
	fields []field
	any    [][]operand
	not    bool
	// merged are the conditions that it may be merged with one of, of the other port.
	merged []*condition
	// unclear says what is not known of the alternatives, "" if nothing.
	unclear string
	// perhaps says why what does not meet the condition may go on all the same, "" if it does not.
	perhaps string
}

// portProtos are the protocols with ports where nft's `th` looks for them.
var portProtos = newSet(span{protoTCP, protoTCP}, span{protoUDP, protoUDP}, span{33, 33}, span{132, 132}, span{136, 136})

// mayHave is a quick look at whether any packet of f can be one of the alternatives.
func (c *condition) mayHave(alternative []operand, f *flow) bool {
	for i := range c.fields {
		d := 0
		switch fd := &c.fields[i]; {
		case fd.kind == fieldSrc && f.newSrc == nil:
			d = dimSrc
		case fd.kind == fieldDst && f.newDst == nil:
			d = dimDst
		case fd.kind == fieldProto:
			d = dimProto
		default:
			continue
		}
		meets := false
		for _, p := range alternative[i].nums {
			if f.box[d].meets(p) {
				meets = true
				break
			}
		}
		if !meets {
			return false
		}
	}
	return true
}

// meet splits flows by whether they meet a condition. What is not known is in both, with a doubt.
func (w *walker) meet(r *Rule, c *condition, flows []flow) (matched, rest []flow) {
	asked, rest := w.present(r, c, flows)
	if c.unclear != "" {
		yes, no := bothWays(asked, Doubt{r, c.unclear})
		return yes, append(rest, no...)
	}
	each, others := w.alternatives(r, c, asked)
	matched = slices.Concat(each...)
	if c.not {
		matched, others = others, matched
	}
	var hasOther []func(*flow) (yes, no []flow)
	for _, other := range c.merged {
		hasOther = append(hasOther, func(f *flow) (yes, no []flow) { return w.splitAlternative(r, other, other.any[0], f) })
	}
	matched, others = orMerged(r, matched, others, hasOther...)
	if c.perhaps != "" {
		perhaps, apart := bothWays(others, Doubt{r, c.perhaps})
		matched, others = append(matched, perhaps...), apart
	}
	return matched, append(rest, others...)
}

// lookUp returns what of flows has each of the alternatives of a condition, and what has none.
func (w *walker) lookUp(r *Rule, c *condition, flows []flow) (each [][]flow, rest []flow) {
	asked, rest := w.present(r, c, flows)
	each, others := w.alternatives(r, c, asked)
	return each, append(rest, others...)
}

// present splits flows by whether they have all fields of a condition: where one is missing, neither it nor its negation holds.
func (w *walker) present(r *Rule, c *condition, flows []flow) (has, lacks []flow) {
	has = flows
	for i := range c.fields {
		fd := &c.fields[i]
		var next []flow
		for j := range has {
			f := &has[j]
			yes, no := []flow{*f}, []flow(nil)
			switch fd.kind {
			case fieldNever:
				yes, no = no, yes
			case fieldConnmark, fieldStatus, fieldDirection, fieldOrigSrc, fieldOrigDst:
				yes, no = f.decide(f.track.hasConnection())
			default:
				if fd.protos != nil {
					yes, no = f.restrict(dimProto, fd.protos, false)
				}
			}
			next, lacks = append(next, yes...), append(lacks, no...)
		}
		has = next
	}
	return has, lacks
}

// alternatives returns what of flows has each of the alternatives, the first of them that fits, and what has none.
func (w *walker) alternatives(r *Rule, c *condition, flows []flow) (each [][]flow, rest []flow) {
	each, rest = make([][]flow, len(c.any)), flows
	for i, alternative := range c.any {
		w.steps += len(rest)
		if len(rest) == 0 || w.tooMany(len(rest)) {
			break
		}
		if !slices.ContainsFunc(rest, func(f flow) bool { return c.mayHave(alternative, &f) }) {
			continue
		}
		var others []flow
		for j := range rest {
			w.steps += splitSteps
			yes, no := w.splitAlternative(r, c, alternative, &rest[j])
			each[i], others = append(each[i], yes...), append(others, no...)
		}
		rest = others
	}
	return each, rest
}

// splitAlternative splits f by one alternative. Ports come last: protocols that have none are out by then, if they are asked for.
func (w *walker) splitAlternative(r *Rule, c *condition, alternative []operand, f *flow) (yes, no []flow) {
	yes = []flow{*f}
	for _, ports := range []bool{false, true} {
		for i := range c.fields {
			fd := &c.fields[i]
			if (fd.kind == fieldSport || fd.kind == fieldDport) != ports {
				continue
			}
			var next []flow
			for j := range yes {
				y, n := w.splitField(r, fd, &alternative[i], &yes[j])
				next, no = append(next, y...), append(no, n...)
			}
			yes = next
		}
	}
	return yes, no
}

// splitField splits f by whether one field is what it may be.
func (w *walker) splitField(r *Rule, fd *field, o *operand, f *flow) (yes, no []flow) {
	switch fd.kind {
	case fieldSrc:
		return f.restrictSrc(r, o.nums, false)
	case fieldDst:
		return f.restrictDst(o.nums, false)
	case fieldProto:
		return f.restrict(dimProto, o.nums, false)
	case fieldSport, fieldDport:
		return w.splitPort(r, fd, o, f)
	case fieldOrigSrc, fieldOrigDst:
		if w.state == Established {
			return f.both(Doubt{r, "not known: the first packet of an established connection"})
		}
		return f.restrict(map[fieldKind]int{fieldOrigSrc: dimSrc, fieldOrigDst: dimDst}[fd.kind], o.nums, false)
	case fieldIn:
		return w.splitIn(r, o, f)
	case fieldOut:
		return f.decide(o.hasName(w.outName(f)))
	case fieldSrcType, fieldDstType:
		return w.splitType(r, fd, o, f)
	case fieldUnclear:
		return f.both(Doubt{r, "not understood: " + fd.text})
	}
	value, unknown, what := w.number(fd, f)
	return f.decideNumber(r, fd, o, value, unknown, what)
}

func (o *operand) hasName(name string) bool {
	return slices.ContainsFunc(o.names, func(m ifMatch) bool { return m.matches(name) })
}

// splitPort knows that `th` reads something else of protocols without ports.
func (w *walker) splitPort(r *Rule, fd *field, o *operand, f *flow) (yes, no []flow) {
	restrict := func(f *flow) (yes, no []flow) {
		if fd.kind == fieldSport {
			return f.restrictSport(r, o.nums, false)
		}
		return f.restrictDport(o.nums, false)
	}
	if fd.protos != nil {
		return restrict(f)
	}
	ported, others := f.restrict(dimProto, portProtos, false)
	for i := range ported {
		y, n := restrict(&ported[i])
		yes, no = append(yes, y...), append(no, n...)
	}
	for i := range others {
		y, n := others[i].both(Doubt{r, "not known: what stands in the place of a port of protocols without"})
		yes, no = append(yes, y...), append(no, n...)
	}
	return yes, no
}

// splitIn is matchIn for names.
func (w *walker) splitIn(r *Rule, o *operand, f *flow) (yes, no []flow) {
	newer := o.hasName(w.inName(f))
	if w.at.chain == "POSTROUTING" && !w.inAtPostrouting && newer != o.hasName("") {
		return f.both(Doubt{r, "iifname at postrouting depends on the kernel's version"})
	}
	return f.decide(newer)
}

// splitType follows nft_fib4_eval_type in net/ipv4/netfilter/nft_fib_ipv4.c.
func (w *walker) splitType(r *Rule, fd *field, o *operand, f *flow) (yes, no []flow) {
	if w.types == nil {
		return f.both(Doubt{r, "not known: which addresses the machine has"})
	}
	dev := ""
	if fd.limitIn {
		dev = w.inName(f)
	}
	if fd.limitOut {
		dev = w.outName(f)
	}
	if (fd.limitIn || fd.limitOut) && dev == "" {
		return f.both(Doubt{r, "not known: the interface that the address's type is asked for"})
	}
	var mask typeMask
	for _, p := range o.nums {
		for n := p.lo; n <= p.hi; n++ {
			mask |= 1 << n
		}
	}
	addrs := w.types.addrs(mask, dev)
	if fd.kind == fieldSrcType {
		return f.restrictSrc(r, addrs, false)
	}
	return f.restrictDst(addrs, false)
}

// What connection tracking says, as numbers (include/uapi/linux/netfilter/nf_conntrack_common.h).
const (
	stateInvalid     = 1 << 0
	stateEstablished = 1 << 1
	stateRelated     = 1 << 2
	stateNew         = 1 << 3
	stateUntracked   = 1 << 6

	statusSNAT = 1 << 4
	statusDNAT = 1 << 5
)

// number returns the number that the packets have, and which of its bits are not known.
func (w *walker) number(fd *field, f *flow) (value, unknown uint32, what string) {
	switch fd.kind {
	case fieldMark:
		return f.mark, f.markUnknown, "the connection mark, which the mark was taken from, of an established connection"
	case fieldConnmark:
		return f.connmark, f.connmarkUnknown, "the connection mark of an established connection"
	case fieldState:
		// nft_ct_get_eval in net/netfilter/nft_ct.c.
		switch f.track {
		case notYetTracked, stray:
			return stateInvalid, 0, ""
		case untracked:
			return stateUntracked, 0, ""
		case established:
			return stateEstablished, 0, ""
		}
		return stateNew, 0, ""
	case fieldStatus:
		if f.track == trackedDNAT {
			value |= statusDNAT
		}
		if f.newSrc != nil {
			value |= statusSNAT
		}
		return value, ^uint32(statusSNAT | statusDNAT), "all of a connection's status but snat and dnat"
	case fieldDirection:
		if w.state == Established {
			return 0, 1, "the direction of an established connection's packet"
		}
		return 0, 0, ""
	case fieldFlags:
		if w.state == Established {
			return 0, 0xff, "the TCP flags of an established connection's packet"
		}
		return w.state.flags(), 0, ""
	}
	return fd.fixed, 0, ""
}

// decideNumber compares a number of which some bits are not known.
func (f *flow) decideNumber(r *Rule, fd *field, o *operand, value, unknown uint32, what string) (yes, no []flow) {
	value, unknown = value&fd.mask, unknown&fd.mask
	if unknown == 0 {
		return f.decide(o.nums.has(value))
	}
	for _, p := range o.nums {
		if p.lo != p.hi || (p.lo^value)&^unknown == 0 {
			return f.both(Doubt{r, "not known: " + what})
		}
	}
	return f.decide(false)
}
