// Package tcbpf holds what the project's tc programs have in common: putting instructions together, reading the IPv4 and
// TCP headers and the timestamp option of a packet, and attaching programs to an interface in such a way that a later
// process finds them and their maps again.
//
// Programs are assembled at run time, so neither a compiler nor a prebuilt object is needed. They are IPv4 only, and for
// Ethernet interfaces: tc shows a packet from its link header on.
package tcbpf

import (
	"fmt"

	"github.com/cilium/ebpf/asm"
)

// Actions of a direct-action classifier (linux/pkt_cls.h).
const (
	// ActUnspec lets the packet on to the next filter, and past the last one.
	ActUnspec = -1
	// ActShot drops the packet silently.
	ActShot = 2
)

// Builder puts a program together. The registers R6 to R9 keep their values over calls; by convention R6 is the context.
type Builder struct {
	insns asm.Instructions
	label string
}

// Do appends instructions.
func (b *Builder) Do(insns ...asm.Instruction) {
	for _, ins := range insns {
		if b.label != "" {
			ins = ins.WithSymbol(b.label)
			b.label = ""
		}
		b.insns = append(b.insns, ins)
	}
}

// Label names the next instruction as the target of jumps.
func (b *Builder) Label(name string) {
	if b.label != "" {
		panic(fmt.Sprintf("labels %q and %q name one instruction", b.label, name))
	}
	b.label = name
}

// Call calls a helper of the kernel with its arguments in R1 to R5, of which none survives, and the result in R0.
func (b *Builder) Call(helper asm.BuiltinFunc) { b.Do(helper.Call()) }

// Exit ends the program with an action.
func (b *Builder) Exit(action int32) {
	b.Do(asm.Mov.Imm(asm.R0, action), asm.Return())
}

// Instructions returns the program.
func (b *Builder) Instructions() asm.Instructions { return b.insns }

// StackPointer makes dst point at a slot of the stack.
func (b *Builder) StackPointer(dst asm.Register, slot int16) {
	b.Do(asm.Mov.Reg(dst, asm.RFP), asm.Add.Imm(dst, int32(slot)))
}

// LookupMap looks the key at a slot of the stack up in a map. R0 points at the value, or is 0.
func (b *Builder) LookupMap(name string, key int16) {
	b.Do(asm.LoadMapPtr(asm.R1, 0).WithReference(name))
	b.StackPointer(asm.R2, key)
	b.Call(asm.FnMapLookupElem)
}

// UpdateMap writes a key and a value that are on the stack into a map.
func (b *Builder) UpdateMap(name string, key, value int16) {
	b.Do(asm.LoadMapPtr(asm.R1, 0).WithReference(name))
	b.StackPointer(asm.R2, key)
	b.StackPointer(asm.R3, value)
	b.Do(asm.Mov.Imm(asm.R4, 0))
	b.Call(asm.FnMapUpdateElem)
}
