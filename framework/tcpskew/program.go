package tcpskew

import (
	"encoding/binary"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/netfault/netfault/framework/internal/tcbpf"
)

// mapState has the one value that both programs and user space share.
const mapState = "skew_state"

// state is what the programs are told, what they have latched, and what Detach has to put back.
type state struct {
	First      uint32 // TSval that the first SYN shall carry
	Timestamps uint32 // net.ipv4.tcp_timestamps before
	Latched    uint64 // the offset in the lower 32 bits, and the bit latched
}

// latched says that the offset is there: 0 is an offset, too.
const latched = 1 << 32

// Slots of the stack, in bytes from the frame pointer.
const (
	slotOld = tcbpf.StackFree - 4 // as in the packet
	slotNew = tcbpf.StackFree - 8 // as in the packet
)

// tcpChecksum is where the checksum is within the TCP header, in bytes.
const tcpChecksum = 16

func collection() *ebpf.CollectionSpec {
	program := func(name string, insns asm.Instructions) *ebpf.ProgramSpec {
		return &ebpf.ProgramSpec{Name: name, Type: ebpf.SchedCLS, Instructions: insns, License: "Dual MIT/GPL"}
	}
	return &ebpf.CollectionSpec{
		Maps: map[string]*ebpf.MapSpec{
			mapState: {Name: mapState, Type: ebpf.Array, KeySize: 4, ValueSize: uint32(unsafe.Sizeof(state{})), MaxEntries: 1},
		},
		Programs: map[string]*ebpf.ProgramSpec{
			"egress":  program("tcp_time_out", egress()),
			"ingress": program("tcp_time_in", ingress()),
		},
		ByteOrder: binary.NativeEndian,
	}
}

// egress adds the offset to the TSval of what leaves. The first SYN latches it: two that leave at the same moment on two
// processors agree on the one that was first.
//
// Registers: R6 the context, R7 the offset of the TCP header, R8 that of the value to change.
func egress() asm.Instructions {
	latch := asm.CmpXchg.Mem(asm.R1, asm.R3, asm.DWord, int16(unsafe.Offsetof(state{}.Latched)))
	// cilium/ebpf v0.22.0 does not write the kind of an atomic operation into the instruction, which is an addition without
	// (Instruction.Marshal): two first SYNs at once added their offsets.
	latch.Constant = int64(asm.CmpXchg >> 8)
	var b tcbpf.Builder
	b.Do(asm.Mov.Reg(asm.R6, asm.R1))
	b.Headers("pass")
	b.Timestamp("pass")
	b.Do(asm.Mov.Reg(asm.R2, asm.R8))
	b.LoadWord(slotOld, "pass")
	b.Do(
		asm.LoadMem(asm.R4, asm.RFP, slotOld, asm.Word),
		asm.HostTo(asm.BE, asm.R4, asm.Word),
		asm.LoadMapValue(asm.R1, 0, 0).WithReference(mapState),
		asm.LoadMem(asm.R0, asm.R1, int16(unsafe.Offsetof(state{}.Latched)), asm.DWord),
		asm.JNE.Imm(asm.R0, 0, "apply"),
		asm.LoadMem(asm.R2, asm.RFP, tcbpf.Flags, asm.Byte),
		asm.And.Imm(asm.R2, tcbpf.SYN|tcbpf.ACK),
		asm.JNE.Imm(asm.R2, tcbpf.SYN, "pass"),
		asm.LoadMem(asm.R3, asm.R1, int16(unsafe.Offsetof(state{}.First)), asm.Word),
		asm.Sub.Reg32(asm.R3, asm.R4),
		asm.LoadImm(asm.R2, latched, asm.DWord),
		asm.Or.Reg(asm.R3, asm.R2),
		asm.Mov.Reg(asm.R5, asm.R3),
		latch,
		asm.JNE.Imm(asm.R0, 0, "apply"), // another SYN was first
		asm.Mov.Reg(asm.R0, asm.R5),
	)
	b.Label("apply")
	b.Do(asm.Add.Reg32(asm.R4, asm.R0))
	replace(&b)
	b.Label("pass")
	b.Exit(tcbpf.ActUnspec)
	return b.Instructions()
}

// ingress takes the offset off the TSecr of what arrives, so that the namespace's own TCP sees its own clock echoed.
func ingress() asm.Instructions {
	var b tcbpf.Builder
	b.Do(asm.Mov.Reg(asm.R6, asm.R1))
	b.Headers("pass")
	b.Timestamp("pass")
	b.Do(
		asm.Add.Imm(asm.R8, 4), // TSecr
		asm.Mov.Reg(asm.R2, asm.R8),
	)
	b.LoadWord(slotOld, "pass")
	b.Do(
		asm.LoadMem(asm.R4, asm.RFP, slotOld, asm.Word),
		asm.JEq.Imm(asm.R4, 0, "pass"), // nothing to echo, as in a SYN
		asm.HostTo(asm.BE, asm.R4, asm.Word),
		asm.LoadMapValue(asm.R1, 0, 0).WithReference(mapState),
		asm.LoadMem(asm.R0, asm.R1, int16(unsafe.Offsetof(state{}.Latched)), asm.DWord),
		asm.JEq.Imm(asm.R0, 0, "pass"),
		asm.Sub.Reg32(asm.R4, asm.R0),
	)
	replace(&b)
	b.Label("pass")
	b.Exit(tcbpf.ActUnspec)
	return b.Instructions()
}

// replace writes the value in R4 over the one at the packet's offset R8, which is in slotOld, and corrects the checksum. At
// an odd distance from the header's start the value's bytes count for the other halves of the checksum's 16-bit words: the
// same as those of the value turned by one byte.
func replace(b *tcbpf.Builder) {
	b.Do(
		asm.HostTo(asm.BE, asm.R4, asm.Word),
		asm.StoreMem(asm.RFP, slotNew, asm.R4, asm.Word),
		asm.LoadMem(asm.R3, asm.RFP, slotOld, asm.Word),
		asm.Mov.Reg(asm.R1, asm.R8),
		asm.Sub.Reg(asm.R1, asm.R7),
		asm.And.Imm(asm.R1, 1),
		asm.JEq.Imm(asm.R1, 0, "even"),
	)
	turn(b, asm.R3)
	turn(b, asm.R4)
	b.Label("even")
	b.Do(
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Add.Imm(asm.R2, tcpChecksum),
		asm.Mov.Imm(asm.R5, 4), // the values have 4 bytes
	)
	b.Call(asm.FnL4CsumReplace)
	b.Do(
		asm.JNE.Imm(asm.R0, 0, "pass"),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Reg(asm.R2, asm.R8),
	)
	b.StackPointer(asm.R3, slotNew)
	b.Do(
		asm.Mov.Imm(asm.R4, 4),
		asm.Mov.Imm(asm.R5, 0),
	)
	b.Call(asm.FnSkbStoreBytes)
}

// turn rotates 4 bytes in packet order by one, whatever the machine's byte order; R0 is overwritten.
func turn(b *tcbpf.Builder, value asm.Register) {
	b.Do(
		asm.HostTo(asm.BE, value, asm.Word),
		asm.Mov.Reg(asm.R0, value),
		asm.LSh.Imm(value, 8),
		asm.RSh.Imm(asm.R0, 24),
		asm.Or.Reg(value, asm.R0),
		asm.HostTo(asm.BE, value, asm.Word),
	)
}
