package drops

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Packet is what a dropped packet's headers say; of one within VXLAN, those inside.
type Packet struct {
	// Source and Destination have port 0 where the protocol has no ports, and in fragments.
	Source, Destination netip.AddrPort
	// Protocol is the IP header's, such as 6 for TCP.
	Protocol uint8
}

// vxlanPort is flannel's (and the kernel's own default).
const vxlanPort = 8472

// Lengths of headers, in bytes.
const (
	ipHeader    = 20 // without options
	udpHeader   = 8
	vxlanHeader = 8
	ethHeader   = 14
)

// parse reads a packet from its IPv4 header on.
func parse(b []byte) (Packet, bool) {
	if len(b) < ipHeader || b[0]>>4 != 4 {
		return Packet{}, false
	}
	source, destination := netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	p := Packet{netip.AddrPortFrom(source, 0), netip.AddrPortFrom(destination, 0), b[9]}
	length := int(b[0]&0xf) * 4
	hasPorts := p.Protocol == unix.IPPROTO_TCP || p.Protocol == unix.IPPROTO_UDP
	laterFragment := binary.BigEndian.Uint16(b[6:])&0x1fff != 0
	if length < ipHeader || len(b) < length+4 || !hasPorts || laterFragment {
		return p, true
	}
	from, to := binary.BigEndian.Uint16(b[length:]), binary.BigEndian.Uint16(b[length+2:])
	p.Source, p.Destination = netip.AddrPortFrom(source, from), netip.AddrPortFrom(destination, to)
	if inner := length + udpHeader + vxlanHeader + ethHeader; p.Protocol == unix.IPPROTO_UDP && to == vxlanPort && len(b) > inner {
		if carried, ok := parse(b[inner:]); ok {
			return carried, true
		}
	}
	return p, true
}
