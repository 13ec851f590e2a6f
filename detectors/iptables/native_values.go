package iptables

import (
	"strings"
)

// fixedNumbers are the families and protocols that `meta nfproto` and `meta protocol` name.
var fixedNumbers = map[string]uint32{"ipv4": 2, "ipv6": 10, "ip": 0x0800, "ip6": 0x86dd, "arp": 0x0806, "vlan": 0x8100}

// bitNames are the names of numbers that are bits, and of directions.
var bitNames = map[fieldKind]map[string]uint32{
	fieldState: {"invalid": stateInvalid, "established": stateEstablished, "related": stateRelated, "new": stateNew, "untracked": stateUntracked},
	fieldStatus: {
		"expected": 1 << 0, "seen-reply": 1 << 1, "assured": 1 << 2, "confirmed": 1 << 3, "snat": statusSNAT, "dnat": statusDNAT, "dying": 1 << 9,
	},
	fieldFlags:     {"fin": 1 << 0, "syn": 1 << 1, "rst": 1 << 2, "psh": 1 << 3, "ack": 1 << 4, "urg": 1 << 5, "ecn": 1 << 6, "cwr": 1 << 7},
	fieldDirection: {"original": 0, "reply": 1},
	fieldFixed:     fixedNumbers,
}

// hasBits reports whether the field's number is made of bits that have names.
func (fd *field) hasBits() bool {
	return fd.kind == fieldState || fd.kind == fieldStatus || fd.kind == fieldFlags
}

// bits reads a number, a name, or several of which it is all bits.
func (fd *field) bits(v any) (uint32, bool) {
	if n, ok := numberOf(v); ok {
		return n, true
	}
	if name, ok := v.(string); ok {
		n, ok := bitNames[fd.kind][name]
		return n, ok
	}
	list, ok := v.([]any)
	if !ok {
		list, ok = member(v, "|").([]any)
	}
	all := uint32(0)
	for _, part := range list {
		n, isBit := fd.bits(part)
		all, ok = all|n, ok && isBit
	}
	return all, ok
}

// operand reads what the field may be: a value, a network or a range.
func (fd *field) operand(v any) (o operand, ok bool) {
	switch fd.kind {
	case fieldUnclear, fieldNever:
		return o, true
	case fieldSrc, fieldDst, fieldOrigSrc, fieldOrigDst:
		o.nums, ok = networkOf(v, addrNumber)
	case fieldSport, fieldDport:
		o.nums, ok = portSet(v)
	case fieldProto:
		o.nums, ok = spanOf(v, protoNumber)
	case fieldMark, fieldConnmark:
		o.nums, ok = networkOf(v, numberOf) // nft prints some ranges of marks as networks
	case fieldIn, fieldOut:
		o.names, ok = devNames(v)
	case fieldSrcType, fieldDstType:
		o.nums, ok = spanOf(v, typeNumber)
	default:
		var n uint32
		n, ok = fd.bits(v)
		o.nums = set{{n, n}}
	}
	return o, ok
}

// numberOf reads a 32-bit number.
func numberOf(v any) (uint32, bool) {
	switch v := v.(type) {
	case float64:
		n := uint32(v)
		return n, v >= 0 && float64(n) == v
	case string:
		if strings.HasPrefix(v, "0x") {
			return parseWord32(v)
		}
	}
	return 0, false
}

// spanOf reads one value, or a range of two.
func spanOf(v any, read func(any) (uint32, bool)) (set, bool) {
	if pair, ok := member(v, "range").([]any); ok && len(pair) == 2 {
		lo, ok1 := read(pair[0])
		hi, ok2 := read(pair[1])
		return set{{lo, hi}}, ok1 && ok2 && lo <= hi
	}
	n, ok := read(v)
	return set{{n, n}}, ok
}

// lengthOf returns the length of a prefix.
func lengthOf(prefix any) (uint32, bool) {
	n, ok := numberOf(member(prefix, "len"))
	return n, ok && n <= 32
}

// networkOf reads one value, a range, or a network.
func networkOf(v any, read func(any) (uint32, bool)) (set, bool) {
	prefix := member(v, "prefix")
	if prefix == nil {
		return spanOf(v, read)
	}
	n, ok := read(member(prefix, "addr"))
	length, isLength := lengthOf(prefix)
	m := netmask(length)
	return set{{n & m, n&m | ^m}}, ok && isLength
}

func addrNumber(v any) (uint32, bool) {
	text, _ := v.(string)
	return parseAddr(text)
}

// portSet reads a port, or a range.
func portSet(v any) (set, bool) {
	return spanOf(v, func(v any) (uint32, bool) {
		n, ok := numberOf(v)
		return n, ok && n <= 65535
	})
}

func protoNumber(v any) (uint32, bool) {
	if n, ok := numberOf(v); ok {
		return n, n <= 255
	}
	name, _ := v.(string)
	n, ok := parseProto(name)
	return uint32(n), ok
}

// typeNumber reads the name of a type of address.
func typeNumber(v any) (uint32, bool) {
	name, _ := v.(string)
	mask, ok := typeNames[strings.ToUpper(name)]
	for n := range uint32(16) {
		if mask == 1<<n {
			return n, ok
		}
	}
	return 0, false
}

// devNames reads the name of an interface, or the beginning of one with a star.
func devNames(v any) ([]ifMatch, bool) {
	name, ok := v.(string)
	name, prefix := strings.CutSuffix(name, "*")
	return []ifMatch{{used: true, name: name, prefix: prefix}}, ok && !strings.ContainsAny(name, `*\`)
}
