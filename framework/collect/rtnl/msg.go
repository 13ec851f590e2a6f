package rtnl

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Raw is a request body that is bytes already.
type Raw []byte

// Len returns the length in bytes.
func (r Raw) Len() int { return len(r) }

// Serialize returns the bytes.
func (r Raw) Serialize() []byte { return r }

// SizeofNdMsg is the size of struct ndmsg in bytes.
const SizeofNdMsg = 12

// NewNdMsg returns struct ndmsg (linux/neighbour.h) as bytes.
func NewNdMsg(m unix.NdMsg) Raw {
	b := make([]byte, SizeofNdMsg)
	b[0] = m.Family
	binary.NativeEndian.PutUint32(b[4:], uint32(m.Ifindex))
	binary.NativeEndian.PutUint16(b[8:], m.State)
	b[10], b[11] = m.Flags, m.Type
	return b
}

// NdMsg reads struct ndmsg at the start of a message that is at least SizeofNdMsg bytes long.
func NdMsg(b []byte) unix.NdMsg {
	return unix.NdMsg{
		Family:  b[0],
		Ifindex: int32(binary.NativeEndian.Uint32(b[4:])),
		State:   binary.NativeEndian.Uint16(b[8:]),
		Flags:   b[10],
		Type:    b[11],
	}
}

// IfInfoMsg reads struct ifinfomsg (linux/rtnetlink.h) at the start of a message of at least unix.SizeofIfInfomsg bytes.
func IfInfoMsg(b []byte) unix.IfInfomsg {
	return unix.IfInfomsg{
		Family: b[0],
		Type:   binary.NativeEndian.Uint16(b[2:]),
		Index:  int32(binary.NativeEndian.Uint32(b[4:])),
		Flags:  binary.NativeEndian.Uint32(b[8:]),
		Change: binary.NativeEndian.Uint32(b[12:]),
	}
}

// RtMsg reads struct rtmsg (linux/rtnetlink.h) at the start of a message of at least unix.SizeofRtMsg bytes.
func RtMsg(b []byte) unix.RtMsg {
	return unix.RtMsg{
		Family: b[0], Dst_len: b[1], Src_len: b[2], Tos: b[3],
		Table: b[4], Protocol: b[5], Scope: b[6], Type: b[7],
		Flags: binary.NativeEndian.Uint32(b[8:]),
	}
}

// IfAddrMsg reads struct ifaddrmsg (linux/if_addr.h) at the start of a message of at least unix.SizeofIfAddrmsg bytes.
func IfAddrMsg(b []byte) unix.IfAddrmsg {
	return unix.IfAddrmsg{
		Family: b[0], Prefixlen: b[1], Flags: b[2], Scope: b[3],
		Index: binary.NativeEndian.Uint32(b[4:]),
	}
}
