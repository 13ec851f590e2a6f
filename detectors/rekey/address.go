package rekey

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"slices"
)

// space gives all addresses of one family new ones. It works as Crypto-PAn does (Xu, Fan, Ammar, Moon: "Prefix-preserving IP
// address anonymization", 2002): whether a bit is flipped depends on the bits before it, so that two addresses have as many
// first bits in common afterwards as before. Unlike there, some bits are never flipped:
//
//   - those that would lead out of a range that means something (private, loopback, multicast);
//   - the last ones, so that a network's first address, its gateway and its broadcast address keep their place;
//   - those on which the order of the bundle's own addresses hangs, so that what is sorted by address stays sorted;
//   - those that lead to the first and the last address of a network that the bundle names, so that these stay first and
//     last: flannel.1's address is the network address of its node's pod CIDR, whatever the length of that.
type space struct {
	key  *Key
	name string
	// depth is how many bits are looked at; those behind it stay.
	depth int
	// stay are the ranges whose addresses stay as they are, within those whose addresses stay within.
	stay, within []netip.Prefix
	// least is the shortest network whose first and last address stay first and last.
	least int
	// leafFrom is from which length on a network without other networks in it keeps the rest of its addresses, too.
	leafFrom int
	// seen are the networks of depth bits in which the bundle has addresses, prefixes the shorter ones that it names.
	seen     map[netip.Addr]bool
	prefixes map[netip.Prefix]bool

	// fixed are the prefixes after which the next bit stays; leaves those after which all do.
	fixed, leaves map[netip.Prefix]bool
	// attempt counts the drawings.
	attempt byte
	memo    map[netip.Addr]netip.Addr
	// frozen says that memo is not written to any more.
	frozen bool
}

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func newIPv4(key *Key) *space {
	return &space{
		key: key, name: "IPv4", depth: 24, least: 8, leafFrom: 16,
		// "This" network with 0.0.0.0/0, loopback, link-local, multicast, and the last with masks and the broadcast.
		stay:   prefixes("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"),
		within: prefixes("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16"),
		seen:   map[netip.Addr]bool{}, prefixes: map[netip.Prefix]bool{}, memo: map[netip.Addr]netip.Addr{},
	}
}

func newIPv6(key *Key) *space {
	return &space{
		key: key, name: "IPv6", depth: 120, least: 16, leafFrom: math.MaxInt,
		stay:   prefixes("::/96", "ff00::/8"),
		within: prefixes("fe80::/64", "fc00::/8", "fd00::/8", "2000::/3"),
		seen:   map[netip.Addr]bool{}, prefixes: map[netip.Prefix]bool{}, memo: map[netip.Addr]netip.Addr{},
	}
}

// see notes an address of the bundle.
func (s *space) see(a netip.Addr) { s.seen[first(a, s.depth)] = true }

// seePrefix notes a network of the bundle.
func (s *space) seePrefix(p netip.Prefix) {
	p = p.Masked()
	s.see(p.Addr())
	if p.Bits() >= s.least && p.Bits() <= s.depth && !s.holdsRange(p) {
		s.prefixes[p] = true
	}
}

// holdsRange reports whether a range lies in p, or is p: then nothing in p has to stay at p's ends.
func (s *space) holdsRange(p netip.Prefix) bool {
	return slices.ContainsFunc(s.within, func(r netip.Prefix) bool { return p.Bits() <= r.Bits() && p.Contains(r.Addr()) })
}

// drawings is how often new addresses are drawn until none of the bundle's is among them.
const drawings = 64

// settle chooses the new addresses once all of the bundle are seen. Where no order-keeping choice gives every address
// another, the order is given up; where that does not help, either, it is an error.
func (s *space) settle() error {
	for _, ordered := range []bool{true, false} {
		s.fix(ordered)
		best, least := byte(0), math.MaxInt
		for s.attempt = 0; s.attempt < drawings; s.attempt++ {
			same, taken := s.compare()
			if same > 0 {
				continue
			}
			if taken < least {
				best, least = s.attempt, taken
			}
			if taken == 0 {
				break
			}
		}
		if least < math.MaxInt {
			s.attempt = best
			clear(s.memo)
			return nil
		}
	}
	return fmt.Errorf("%s addresses of this bundle cannot get others without losing how they hang together", s.name)
}

// compare counts the networks that would stay the same, and those that would get the name of another.
func (s *space) compare() (same, taken int) {
	clear(s.memo)
	for a := range s.seen {
		if s.stays(a) || s.linkLocal(a) {
			continue
		}
		to := s.trie(a)
		switch {
		case to == a:
			same++
		case s.seen[to]:
			taken++
		}
	}
	return same, taken
}

// stays reports whether a is in a range whose addresses stay as they are.
func (s *space) stays(a netip.Addr) bool {
	return slices.ContainsFunc(s.stay, func(r netip.Prefix) bool { return r.Contains(a) })
}

// linkLocal addresses may stay: fe80::1 is the same everywhere.
func (s *space) linkLocal(a netip.Addr) bool { return a.Is6() && a.IsLinkLocalUnicast() }

// fix finds the bits that stay because of the bundle's own addresses and networks.
func (s *space) fix(ordered bool) {
	s.fixed, s.leaves = map[netip.Prefix]bool{}, map[netip.Prefix]bool{}
	points := make([]netip.Addr, 0, len(s.seen))
	for a := range s.seen {
		points = append(points, a)
	}
	for p := range s.prefixes {
		points = append(points, first(p.Addr(), s.depth), first(last(p), s.depth))
		s.fixPath(p.Addr(), p.Bits())
		s.fixPath(last(p), p.Bits())
		if p.Bits() >= s.leafFrom && p.Bits() < s.depth {
			s.leaves[p] = true
		}
	}
	for p := range s.prefixes {
		for bits := s.leafFrom; bits < p.Bits(); bits++ {
			delete(s.leaves, prefix(p.Addr(), bits))
		}
	}
	if s.depth > 64 {
		for a := range s.seen {
			s.fixPath(first(a, 64), 64)
		}
	}
	if !ordered {
		return
	}
	slices.SortFunc(points, netip.Addr.Compare)
	points = slices.Compact(points)
	for i := 1; i < len(points); i++ {
		a, b := points[i-1], points[i]
		common := commonBits(a, b)
		s.fixed[prefix(a, common)] = true
		if first(last(prefix(a, s.depth)).Next(), s.depth) == b {
			// Networks side by side stay so.
			s.fixPath(a, common)
			s.fixPath(b, common)
		}
	}
}

// fixPath fixes the bits of a from the one after the first bits.
func (s *space) fixPath(a netip.Addr, bits int) {
	for ; bits < s.depth; bits++ {
		s.fixed[prefix(a, bits)] = true
	}
}

// to returns the new address of a.
func (s *space) to(a netip.Addr) netip.Addr {
	if s.stays(a) {
		return a
	}
	network := first(a, s.depth)
	to, ok := s.memo[network]
	if !ok {
		to = s.trie(network)
		if !s.frozen {
			s.memo[network] = to
		}
	}
	return join(to, a, s.depth)
}

// trie flips the first bits of a network.
func (s *space) trie(a netip.Addr) netip.Addr {
	b := a.AsSlice()
	for bits := range s.depth {
		if s.flips(prefix(a, bits)) {
			b[bits/8] ^= 0x80 >> (bits % 8)
		}
	}
	to, _ := netip.AddrFromSlice(b)
	return to
}

// flips reports whether the bit after node is another in new addresses.
func (s *space) flips(node netip.Prefix) bool {
	if s.fixed[node] {
		return false
	}
	for _, ranges := range [][]netip.Prefix{s.stay, s.within} {
		for _, r := range ranges {
			if node.Bits() < r.Bits() && node.Contains(r.Addr()) {
				return false
			}
		}
	}
	for bits := s.leafFrom; bits <= node.Bits(); bits++ {
		if s.leaves[prefix(node.Addr(), bits)] {
			return false
		}
	}
	sum := s.key.sum(s.name, []byte{s.attempt, byte(node.Bits())}, node.Addr().AsSlice())
	return sum[0]&1 == 1
}

// prefix returns the first bits of a, of which it has that many.
func prefix(a netip.Addr, bits int) netip.Prefix {
	p, _ := a.Prefix(bits)
	return p
}

// first returns a with all but its first bits 0.
func first(a netip.Addr, bits int) netip.Addr { return prefix(a, bits).Addr() }

// last returns the last address of p.
func last(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for bits := p.Bits(); bits < len(b)*8; bits++ {
		b[bits/8] |= 0x80 >> (bits % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// join returns the first bits of a, of which there is a whole number of bytes, with the others of b.
func join(a, b netip.Addr, bits int) netip.Addr {
	out := append(a.AsSlice()[:bits/8:bits/8], b.AsSlice()[bits/8:]...)
	joined, _ := netip.AddrFromSlice(out)
	return joined
}

// commonBits returns how many first bits a and b have in common.
func commonBits(a, b netip.Addr) int {
	x, y := a.AsSlice(), b.AsSlice()
	for bits := range len(x) * 8 {
		if (x[bits/8]^y[bits/8])&(0x80>>(bits%8)) != 0 {
			return bits
		}
	}
	return len(x) * 8
}

// addr returns the new address of a. Unlike other bits of IPv6 addresses, what is made of a link address (EUI-64, RFC 4291
// appendix A), of an IPv4 address or of another address's last bits (solicited-node, section 2.7.1) follows these.
func (n *Names) addr(a netip.Addr) netip.Addr {
	switch {
	case a.Zone() != "":
		return n.addr(a.WithZone("")).WithZone(n.iface(a.Zone()))
	case a.Is4():
		if n.collecting {
			n.v4.see(a)
			return a
		}
		return n.v4.to(a)
	case a.Is4In6(), nat64.Contains(a):
		b := a.As16()
		v4 := n.addr(netip.AddrFrom4([4]byte(b[12:]))).As4()
		copy(b[12:], v4[:])
		return netip.AddrFrom16(b)
	case solicited.Contains(a):
		b := a.As16()
		n.endOf(b[13:])
		return netip.AddrFrom16(b)
	}
	if n.collecting {
		n.v6.see(a)
		n.full[a] = true
	}
	b := a.As16()
	to := a
	if !n.collecting {
		to = n.v6.to(a)
	}
	if b[11] != 0xff || b[12] != 0xfe || n.v6.stays(a) {
		return to
	}
	mac := n.mac(eui64(b))
	out := to.As16()
	var m [8]byte
	binary.BigEndian.PutUint64(m[:], uint64(mac))
	copy(out[8:11], m[2:5])
	out[8] ^= universal
	out[11], out[12] = 0xff, 0xfe
	copy(out[13:], m[5:])
	return netip.AddrFrom16(out)
}

var (
	nat64     = netip.MustParsePrefix("64:ff9b::/96")
	solicited = netip.MustParsePrefix("ff02::1:ff00:0/104")
)

// prefix returns the new prefix of p, which is a network or an address with the length of its network.
func (n *Names) prefix(p netip.Prefix) netip.Prefix {
	if n.collecting {
		if p.Addr().Is4() {
			n.v4.seePrefix(p)
		} else if !p.Addr().Is4In6() {
			n.v6.seePrefix(p)
		}
	}
	to := netip.PrefixFrom(n.addr(p.Addr()), p.Bits())
	if p == p.Masked() {
		return to.Masked()
	}
	return to
}
