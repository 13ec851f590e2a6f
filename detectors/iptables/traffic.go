package iptables

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Traffic is a set of packets, a part of those that a query asked for.
type Traffic struct {
	boxes []box
	// whole is what was asked for; restrictions that it has already are not told.
	whole box
}

// All reports whether it is everything that was asked for.
func (t Traffic) All() bool {
	return len(minusAll([]box{t.whole}, t.boxes)) == 0
}

// Reaches reports whether a packet of it comes in with a destination in p.
func (t Traffic) Reaches(p netip.Prefix) bool {
	return slices.ContainsFunc(t.boxes, func(b box) bool { return b[dimDst].meets(prefixSpan(p)) })
}

// HasAllTo reports whether it has all of a protocol that was asked for with a destination in p.
func (t Traffic) HasAllTo(p netip.Prefix, proto uint8) bool {
	asked := t.whole
	asked[dimProto] = asked[dimProto].and(set{{uint32(proto), uint32(proto)}})
	asked[dimDst] = asked[dimDst].and(set{prefixSpan(p)})
	return asked.empty() || len(minusAll([]box{asked}, t.boxes)) == 0
}

// ComesFrom reports whether a packet of it comes in with a source in p.
func (t Traffic) ComesFrom(p netip.Prefix) bool {
	return slices.ContainsFunc(t.boxes, func(b box) bool { return b[dimSrc].meets(prefixSpan(p)) })
}

// Join returns the packets of t and u, which are parts of the same query.
func (t Traffic) Join(u Traffic) Traffic {
	return Traffic{boxes: joinBoxes(append(slices.Clone(t.boxes), minusAll(u.boxes, t.boxes)...)), whole: t.whole}
}

// maxBoxes is how many parts String tells, and maxItems how many addresses or ports of each.
const (
	maxBoxes = 4
	maxItems = 6
)

// String says which packets they are, such as "tcp to port 80, to 10.244.3.0/24", or "all traffic".
func (t Traffic) String() string {
	if t.All() {
		return "all traffic"
	}
	var parts []string
	for i, b := range t.boxes {
		if i == maxBoxes {
			parts = append(parts, fmt.Sprintf("and %d more parts of the traffic", len(t.boxes)-i))
			break
		}
		parts = append(parts, t.boxText(&b))
	}
	return strings.Join(parts, "; ")
}

func (t Traffic) boxText(b *box) string {
	var words []string
	add := func(d int, text func(set) string) {
		if !t.whole[d].within(b[d]) {
			words = append(words, text(b[d]))
		}
	}
	add(dimProto, protoText)
	ports := func(way string) func(set) string {
		return func(s set) string {
			if _, one := s.single(); one {
				return way + " port " + portText(s)
			}
			return way + " ports " + portText(s)
		}
	}
	add(dimSport, ports("from"))
	add(dimDport, ports("to"))
	add(dimSrc, func(s set) string { return "from " + addrText(s) })
	add(dimDst, func(s set) string { return "to " + addrText(s) })
	if words == nil {
		return "all traffic"
	}
	text := strings.Join(words, ", ")
	// "tcp to port 80" reads better than "tcp, to port 80".
	for _, way := range []string{", from port", ", to port"} {
		text = strings.Replace(text, way, way[1:], 1)
	}
	return text
}

// protoText names protocols, or those that are left out if they are fewer.
func protoText(s set) string {
	name := func(p span) string {
		if p.lo != p.hi {
			return fmt.Sprintf("protocols %d-%d", p.lo, p.hi)
		}
		return protoName(uint8(p.lo))
	}
	if rest := full()[dimProto].minus(s); rest.count() < s.count() {
		return "all but " + list(rest, name)
	}
	return list(s, name)
}

func protoName(n uint8) string {
	switch n {
	case protoICMP:
		return "icmp"
	case protoTCP:
		return "tcp"
	case protoUDP:
		return "udp"
	case 132:
		return "sctp"
	}
	return "protocol " + strconv.Itoa(int(n))
}

func portText(s set) string {
	return list(s, func(p span) string {
		if p.lo == p.hi {
			return strconv.Itoa(int(p.lo))
		}
		return fmt.Sprintf("%d-%d", p.lo, p.hi)
	})
}

// addrText writes networks where a span is one, and ranges otherwise.
func addrText(s set) string {
	return list(s, func(p span) string {
		for bits := 0; bits <= 32; bits++ {
			n := netip.PrefixFrom(addr4(p.lo), bits)
			if prefixSpan(n) == p {
				if bits == 32 {
					return n.Addr().String()
				}
				return n.String()
			}
		}
		return addr4(p.lo).String() + "-" + addr4(p.hi).String()
	})
}

// list writes the spans of a set with commas, and says how many it leaves out.
func list(s set, text func(span) string) string {
	var items []string
	for i, p := range s {
		if i == maxItems {
			items = append(items, fmt.Sprintf("and %d more", len(s)-i))
			break
		}
		items = append(items, text(p))
	}
	return strings.Join(items, ", ")
}
