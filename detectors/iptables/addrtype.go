package iptables

import (
	"net/netip"
	"slices"
	"strings"
)

// typeMask is a set of address types, as the kernel numbers them (RTN_UNICAST is 1, include/uapi/linux/rtnetlink.h).
type typeMask uint16

const (
	typeUnicast   typeMask = 1 << 1
	typeLocal     typeMask = 1 << 2
	typeBroadcast typeMask = 1 << 3
	typeMulticast typeMask = 1 << 5
)

var typeNames = map[string]typeMask{
	"UNSPEC": 1 << 0, "UNICAST": typeUnicast, "LOCAL": typeLocal, "BROADCAST": typeBroadcast, "ANYCAST": 1 << 4,
	"MULTICAST": typeMulticast, "BLACKHOLE": 1 << 6, "UNREACHABLE": 1 << 7, "PROHIBIT": 1 << 8, "THROW": 1 << 9,
	"NAT": 1 << 10, "XRESOLVE": 1 << 11,
}

func parseTypes(list string) (mask typeMask, ok bool) {
	for name := range strings.SplitSeq(list, ",") {
		bit, ok := typeNames[name]
		if !ok {
			return 0, false
		}
		mask |= bit
	}
	return mask, true
}

// LocalRoute is an entry of the routing table "local", which decides the type of an address.
type LocalRoute struct {
	Dst netip.Prefix
	// Type is "local", "broadcast" or another type of route, as `ip route` prints it.
	Type string
	// Dev is the interface that has the address.
	Dev string
}

// typeTable knows the types of all addresses.
type typeTable struct {
	routes []LocalRoute
	cache  map[typeQuestion]set
}

type typeQuestion struct {
	mask typeMask
	dev  string
}

func newTypeTable(routes []LocalRoute) *typeTable {
	routes = slices.Clone(routes)
	slices.SortStableFunc(routes, func(a, b LocalRoute) int { return b.Dst.Bits() - a.Dst.Bits() })
	return &typeTable{routes: routes, cache: map[typeQuestion]set{}}
}

// addrs returns the addresses of the types in mask; with dev, those that are of that type on dev. It follows
// __inet_dev_addr_type in net/ipv4/fib_frontend.c.
func (t *typeTable) addrs(mask typeMask, dev string) set {
	q := typeQuestion{mask, dev}
	if s, ok := t.cache[q]; ok {
		return s
	}
	var out set
	left := all
	claim := func(addrs set, kind typeMask) {
		if kind&mask != 0 {
			out = out.or(addrs.and(left))
		}
		left = left.minus(addrs)
	}
	claim(set{{0, 0}, {1<<32 - 1, 1<<32 - 1}}, typeBroadcast)
	claim(set{{0xe0000000, 0xefffffff}}, typeMulticast)
	for _, r := range t.routes {
		kind := typeNames[strings.ToUpper(r.Type)]
		if dev != "" && dev != r.Dev {
			kind = typeUnicast
		}
		claim(set{prefixSpan(r.Dst)}, kind)
	}
	claim(left, typeUnicast)
	t.cache[q] = out
	return out
}

// addressesOf returns the addresses of an interface; t may be nil.
func (t *typeTable) addressesOf(dev string) set {
	var spans []span
	if t != nil {
		for _, r := range t.routes {
			if r.Dev == dev && r.Type == "local" {
				spans = append(spans, prefixSpan(r.Dst))
			}
		}
	}
	return newSet(spans...)
}
