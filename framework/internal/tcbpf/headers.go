package tcbpf

import (
	"encoding/binary"

	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// Slots of the stack that Headers and Timestamp fill, in bytes from the frame pointer. All header fields are in network
// byte order, as in the packet.
const (
	ipHeader  int16 = -24
	tcpHeader int16 = -48
	option    int16 = -56

	// IPLength is the packet's total length, 2 bytes.
	IPLength = ipHeader + 2
	// Source and Destination are the addresses, 4 bytes each.
	Source      = ipHeader + 12
	Destination = ipHeader + 16
	// SourcePort and DestinationPort are 2 bytes each.
	SourcePort      = tcpHeader
	DestinationPort = tcpHeader + 2
	// Seq and Ack are the sequence numbers, 4 bytes each.
	Seq = tcpHeader + 4
	Ack = tcpHeader + 8
	// DataOffset has the length of the TCP header in its upper 4 bits, in words of 4 bytes.
	DataOffset = tcpHeader + 12
	// Flags is the byte of TCP's flags.
	Flags = tcpHeader + 13

	// StackFree is where a program's own slots begin: it may use what lies below.
	StackFree = option
)

// TCP's flags (RFC 9293, section 3.1).
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
)

// Fields of struct __sk_buff (linux/bpf.h) by their offset in bytes.
const (
	// SkbProtocol is the EtherType in network byte order, 4 bytes.
	SkbProtocol = 16
	// SkbSocket is the socket that sent the packet, 8 bytes; 0 if none is known.
	SkbSocket = 168
)

const (
	ethHeaderLength = 14
	ipHeaderLength  = 20
	tcpHeaderLength = 20
	// fragment are the bits of the IPv4 header's third word that only fragments have: "more follow", and the offset.
	fragment = 0x3fff

	optionEnd       = 0
	optionNop       = 1
	optionTimestamp = 8
	timestampLength = 10
)

// htons turns a constant into network byte order, as it is found in memory.
func htons(v uint16) int32 {
	return int32(binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v)))
}

// Headers copies the headers of the packet in R6 to the stack and leaves the offset of the TCP header in R7. A packet that
// is not IPv4 and TCP, or is a fragment, jumps to other.
func (b *Builder) Headers(other string) {
	b.Do(
		asm.LoadMem(asm.R1, asm.R6, SkbProtocol, asm.Word),
		asm.JNE.Imm(asm.R1, htons(unix.ETH_P_IP), other),
		asm.Mov.Imm(asm.R2, ethHeaderLength),
	)
	b.loadBytes(ipHeader, ipHeaderLength, other)
	b.Do(
		asm.LoadMem(asm.R1, asm.RFP, ipHeader+9, asm.Byte),
		asm.JNE.Imm(asm.R1, unix.IPPROTO_TCP, other),
		asm.LoadMem(asm.R1, asm.RFP, ipHeader+6, asm.Half),
		asm.And.Imm(asm.R1, htons(fragment)),
		asm.JNE.Imm(asm.R1, 0, other),
	)
	b.ipHeaderBytes(asm.R7)
	b.Do(
		asm.Add.Imm(asm.R7, ethHeaderLength),
		asm.Mov.Reg(asm.R2, asm.R7),
	)
	b.loadBytes(tcpHeader, tcpHeaderLength, other)
}

// PayloadLength puts the number of bytes that the segment carries into dst; scratch is overwritten. Headers must have run.
func (b *Builder) PayloadLength(dst, scratch asm.Register) {
	b.Do(
		asm.LoadMem(dst, asm.RFP, IPLength, asm.Half),
		asm.HostTo(asm.BE, dst, asm.Half),
	)
	b.ipHeaderBytes(scratch)
	b.Do(asm.Sub.Reg(dst, scratch))
	b.tcpHeaderBytes(scratch)
	b.Do(asm.Sub.Reg(dst, scratch))
}

// Timestamp looks for the timestamp option (RFC 7323, section 3) and leaves the offset of its TSval in R8; TSecr follows 4
// bytes later. Options may come in any order and at any alignment. Without the option it jumps to none. Headers must have
// run; R9 is overwritten.
func (b *Builder) Timestamp(none string) {
	b.tcpHeaderBytes(asm.R9)
	b.Do(
		asm.Add.Reg(asm.R9, asm.R7),
		asm.Mov.Reg(asm.R8, asm.R7),
		asm.Add.Imm(asm.R8, tcpHeaderLength),
	)
	b.Label("option")
	b.Do(
		asm.JGE.Reg(asm.R8, asm.R9, none),
		asm.Mov.Reg(asm.R2, asm.R8),
	)
	// The last byte of a packet without payload cannot be read as two: it is no timestamp either.
	b.loadBytes(option, 2, none)
	b.Do(
		asm.LoadMem(asm.R1, asm.RFP, option, asm.Byte),
		asm.JEq.Imm(asm.R1, optionEnd, none),
		asm.JEq.Imm(asm.R1, optionNop, "option_nop"),
		asm.LoadMem(asm.R2, asm.RFP, option+1, asm.Byte),
		asm.JLT.Imm(asm.R2, 2, none),
		asm.JNE.Imm(asm.R1, optionTimestamp, "option_skip"),
		asm.JNE.Imm(asm.R2, timestampLength, "option_skip"),
		asm.Mov.Reg(asm.R3, asm.R8),
		asm.Add.Reg(asm.R3, asm.R2),
		asm.JGT.Reg(asm.R3, asm.R9, none),
		asm.Add.Imm(asm.R8, 2),
		asm.Ja.Label("timestamp"),
	)
	b.Label("option_skip")
	b.Do(
		asm.Add.Reg(asm.R8, asm.R2),
		asm.Ja.Label("option"),
	)
	b.Label("option_nop")
	b.Do(
		asm.Add.Imm(asm.R8, 1),
		asm.Ja.Label("option"),
	)
	b.Label("timestamp")
}

// LoadWord copies 4 bytes of the packet, from the offset in R2 on, into a slot of the stack, or jumps to short.
func (b *Builder) LoadWord(slot int16, short string) { b.loadBytes(slot, 4, short) }

// loadBytes copies bytes of the packet, from the offset in R2 on, into a slot of the stack, or jumps to short.
func (b *Builder) loadBytes(slot int16, bytes int32, short string) {
	b.Do(asm.Mov.Reg(asm.R1, asm.R6))
	b.StackPointer(asm.R3, slot)
	b.Do(asm.Mov.Imm(asm.R4, bytes))
	b.Call(asm.FnSkbLoadBytes)
	b.Do(asm.JNE.Imm(asm.R0, 0, short))
}

func (b *Builder) ipHeaderBytes(dst asm.Register) {
	b.Do(
		asm.LoadMem(dst, asm.RFP, ipHeader, asm.Byte),
		asm.And.Imm(dst, 0x0f),
		asm.LSh.Imm(dst, 2),
	)
}

func (b *Builder) tcpHeaderBytes(dst asm.Register) {
	b.Do(
		asm.LoadMem(dst, asm.RFP, DataOffset, asm.Byte),
		asm.RSh.Imm(dst, 4),
		asm.LSh.Imm(dst, 2),
	)
}
