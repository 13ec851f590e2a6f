package rekey

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors/evidence"
)

// universal is the bit of a link address's first byte that says that it is locally administered; group is the other that
// has a meaning (IEEE 802).
const (
	group     = 0x01
	universal = 0x02
)

const broadcast evidence.MAC = 1<<48 - 1

// ofProtocol reports whether m is one of the group addresses that belong to protocols: IPv4 multicast, bridges, and IPv6
// multicast.
func ofProtocol(m evidence.MAC) bool {
	return m>>24 == 0x01005e || m>>24 == 0x0180c2 || m>>32 == 0x3333
}

// mac returns the new link address of m, with the same local and group bits.
func (n *Names) mac(m evidence.MAC) evidence.MAC {
	switch {
	case m == 0, m == broadcast:
		return m
	case m>>24 == 0x3333ff:
		// The last three bytes are those of an IPv6 address (RFC 2464 section 7).
		b := [4]byte{0, byte(m >> 16), byte(m >> 8), byte(m)}
		n.endOf(b[1:])
		return m&^0xffffff | evidence.MAC(binary.BigEndian.Uint32(b[:]))
	case ofProtocol(m):
		return m
	}
	if n.collecting {
		n.macs[m] = m
		return m
	}
	if to, ok := n.macs[m]; ok {
		return to
	}
	return n.drawMAC(m)
}

// drawMAC draws until no link address of the bundle and none with a meaning comes out.
func (n *Names) drawMAC(m evidence.MAC) evidence.MAC {
	var from [8]byte
	binary.BigEndian.PutUint64(from[:], uint64(m))
	for attempt := byte(0); ; attempt++ {
		sum := n.key.sum("MAC", []byte{attempt}, from[:])
		const keep = evidence.MAC(group|universal) << 40
		to := evidence.MAC(binary.BigEndian.Uint64(sum[:])>>16)&^keep | m&keep
		if _, taken := n.macs[to]; !taken && to != 0 && to != broadcast && !ofProtocol(to) || attempt == drawings {
			return to
		}
	}
}

// eui64 returns the link address that is in the last 64 bits of an IPv6 address.
func eui64(b [16]byte) evidence.MAC {
	return evidence.MAC(b[8]^universal)<<40 | evidence.MAC(b[9])<<32 | evidence.MAC(b[10])<<24 |
		evidence.MAC(b[13])<<16 | evidence.MAC(b[14])<<8 | evidence.MAC(b[15])
}

// endOf gives the last three bytes of an IPv6 address or a link address those that this has then.
func (n *Names) endOf(b []byte) {
	if n.collecting {
		return
	}
	end := [3]byte(b)
	if to, ok := n.ends[end]; ok {
		copy(b, to[:])
		return
	}
	sum := n.key.sum("end", b)
	copy(b, sum[:3])
}

// settleMACs chooses the new link addresses, and those that hang on them.
func (n *Names) settleMACs() {
	macs := slices.Sorted(maps.Keys(n.macs))
	to := make(map[evidence.MAC]evidence.MAC, len(macs))
	for _, m := range macs {
		to[m] = n.drawMAC(m)
	}
	n.macs = to
	end := func(a, b []byte) {
		if _, ok := n.ends[[3]byte(a)]; !ok {
			n.ends[[3]byte(a)] = [3]byte(b)
		}
	}
	for _, a := range slices.SortedFunc(maps.Keys(n.full), netip.Addr.Compare) {
		if a.IsMulticast() {
			continue
		}
		from, to := a.As16(), n.addr(a).As16()
		end(from[13:], to[13:])
	}
	for _, m := range macs {
		t := to[m]
		end([]byte{byte(m >> 16), byte(m >> 8), byte(m)}, []byte{byte(t >> 16), byte(t >> 8), byte(t)})
	}
}

// macText returns the new link address in the letters that s has.
func (n *Names) macText(s string) (string, bool) {
	m, err := evidence.ParseMAC(s)
	if err != nil || len(s) != len("00:00:00:00:00:00") {
		return "", false
	}
	return sameCase(s, n.mac(m).String()), true
}

// sameCase writes hexadecimal digits in capital letters if s has some.
func sameCase(s, to string) string {
	if strings.ContainsAny(s, "ABCDEF") {
		return strings.ToUpper(to)
	}
	return to
}
