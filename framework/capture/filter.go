package capture

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Filter says which packets are captured. Every filter passes IPv4 and IPv6 without extension headers, and no fragments
// but the first.
type Filter uint8

const (
	// Openings passes the TCP segments that open and close connections: those with SYN, FIN or RST.
	Openings Filter = iota
	// TCP passes all of TCP.
	TCP
)

// snapLen is how many bytes of a packet are kept: Ethernet, IPv6 and the longest TCP header take 114.
const snapLen = 128

// markerType is the EtherType of the capture's own frames: IEEE 802 local experimental EtherType 1, which is for use within
// one network and must mean nothing to anybody else.
const markerType = 0x88b5

// Places in an Ethernet frame.
const (
	offType      = 12
	offIP        = 14
	off4Protocol = offIP + 9
	off4Fragment = offIP + 6
	off6Next     = offIP + 6
	off6TCP      = offIP + 40
	offTCPFlags  = 13
)

// tcpFlags are FIN, SYN and RST in the byte of the control bits (RFC 9293 section 3.1).
const tcpFlags = 0x07

// program is the filter as the kernel runs it on every frame. It passes the capture's own frames, too.
func (f Filter) program() ([]bpf.RawInstruction, error) {
	mask := uint32(0xff)
	if f == Openings {
		mask = tcpFlags
	}
	return bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: offType, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: markerType, SkipTrue: 13},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_IPV6, SkipTrue: 8},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_IP, SkipFalse: 12},

		bpf.LoadAbsolute{Off: off4Protocol, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_TCP, SkipFalse: 10},
		bpf.LoadAbsolute{Off: off4Fragment, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: 0x1fff, SkipTrue: 8},
		bpf.LoadMemShift{Off: offIP},
		bpf.LoadIndirect{Off: offIP + offTCPFlags, Size: 1},
		bpf.Jump{Skip: 3},

		bpf.LoadAbsolute{Off: off6Next, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_TCP, SkipFalse: 3},
		bpf.LoadAbsolute{Off: off6TCP + offTCPFlags, Size: 1},

		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: mask, SkipFalse: 1},
		bpf.RetConstant{Val: snapLen},
		bpf.RetConstant{Val: 0},
	})
}
