package iptables

import (
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
)

// parseAddr reads an IPv4 address.
func parseAddr(s string) (addr uint32, ok bool) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return 0, false
	}
	return number4(a), true
}

// parseNetwork reads an IPv4 address or network, with a mask of either form. A mask with holes is not understood.
func parseNetwork(s string) (span, bool) {
	host, mask, hasMask := strings.Cut(s, "/")
	addr, ok := parseAddr(host)
	if !ok || !hasMask {
		return span{addr, addr}, ok
	}
	length, ok := parseNumber(mask, 32)
	if !ok {
		dotted, isAddr := parseAddr(mask)
		if !isAddr {
			return span{}, false
		}
		length = uint32(bits.LeadingZeros32(^dotted))
		if dotted != netmask(length) {
			return span{}, false
		}
	}
	m := netmask(length)
	return span{addr & m, addr&m | ^m}, true
}

func netmask(length uint32) uint32 { return ^uint32(0) << (32 - length) }

// parseNumber reads a decimal number up to most.
func parseNumber(s string, most uint32) (n uint32, ok bool) {
	long, err := strconv.ParseUint(s, 10, 32)
	return uint32(long), err == nil && uint32(long) <= most
}

// parseRange reads a port, or two with sep between them.
func parseRange(s, sep string) (span, bool) {
	from, to, isRange := strings.Cut(s, sep)
	if !isRange {
		to = from
	}
	lo, ok1 := parseNumber(from, 65535)
	hi, ok2 := parseNumber(to, 65535)
	return span{lo, hi}, ok1 && ok2 && lo <= hi
}

// parsePortList reads ports and ranges with commas between them.
func parsePortList(s string) (set, bool) {
	var spans []span
	for item := range strings.SplitSeq(s, ",") {
		p, ok := parseRange(item, ":")
		if !ok {
			return nil, false
		}
		spans = append(spans, p)
	}
	return newSet(spans...), true
}

// parseWord32 reads a 32-bit number in C's notations, as marks are printed.
func parseWord32(s string) (uint32, bool) {
	if strings.ContainsRune(s, '_') {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 0, 32)
	return uint32(n), err == nil
}

// parseMasked reads VALUE or VALUE/MASK.
func parseMasked(s string) (value, mask uint32, ok bool) {
	v, m, hasMask := strings.Cut(s, "/")
	value, ok = parseWord32(v)
	mask = ^uint32(0)
	if ok && hasMask {
		mask, ok = parseWord32(m)
	}
	return value, mask, ok
}

// protocols are the names that iptables-save prints without asking /etc/protocols, and a few that it finds there.
var protocols = map[string]uint8{
	"icmp": 1, "igmp": 2, "ipencap": 4, "tcp": 6, "udp": 17, "dccp": 33, "gre": 47, "esp": 50, "ah": 51,
	"ipv6-icmp": 58, "icmpv6": 58, "ospf": 89, "ipip": 94, "vrrp": 112, "sctp": 132, "mobility-header": 135,
	"ipv6-mh": 135, "mh": 135, "udplite": 136,
}

const (
	protoICMP = 1
	protoTCP  = 6
	protoUDP  = 17
)

// hasPorts reports whether a protocol has ports where iptables looks for them.
func hasPorts(proto uint8) bool {
	switch proto {
	case protoTCP, protoUDP, 33, 132, 136:
		return true
	}
	return false
}

func parseProto(s string) (uint8, bool) {
	switch s {
	case "tcp":
		return protoTCP, true
	case "udp":
		return protoUDP, true
	}
	if n, ok := parseNumber(s, 255); ok {
		return uint8(n), n != 0
	}
	n, ok := protocols[s]
	return n, ok
}

// addr4 returns the address of a number.
func addr4(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// number4 returns the number of an IPv4 address.
func number4(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// prefixSpan returns the addresses of an IPv4 network.
func prefixSpan(p netip.Prefix) span {
	m := netmask(uint32(p.Bits()))
	lo := number4(p.Addr()) & m
	return span{lo, lo | ^m}
}
