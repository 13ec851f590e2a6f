package rtnl

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// NdMsg reads struct ndmsg (linux/neighbour.h) at the start of a message that is at least unix.SizeofNdMsg bytes long. The other
// headers are read by package nl, which keeps this one to itself.
func NdMsg(b []byte) unix.NdMsg {
	return unix.NdMsg{
		Family:  b[0],
		Ifindex: int32(binary.NativeEndian.Uint32(b[4:])),
		State:   binary.NativeEndian.Uint16(b[8:]),
		Flags:   b[10],
		Type:    b[11],
	}
}

// Nexthop is struct rtnexthop (linux/rtnetlink.h) with its attributes. Both are parts of the RTA_MULTIPATH that it stands in.
type Nexthop struct{ Header, Attrs []byte }

// nexthopIndex is where the link's number stands in the header of a next hop.
const nexthopIndex = 4

// Nexthops splits RTA_MULTIPATH.
func Nexthops(b []byte) ([]Nexthop, error) {
	var hops []Nexthop
	for len(b) > 0 {
		if len(b) < unix.SizeofRtNexthop {
			return nil, unix.EBADMSG
		}
		length := int(binary.NativeEndian.Uint16(b))
		if length < unix.SizeofRtNexthop || length > len(b) {
			return nil, unix.EBADMSG
		}
		hops = append(hops, Nexthop{b[:unix.SizeofRtNexthop], b[unix.SizeofRtNexthop:length]})
		b = b[min(len(b), align(length)):]
	}
	return hops, nil
}
