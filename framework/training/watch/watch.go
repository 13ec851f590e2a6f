// Package watch sees which programs are started on a terminal, from outside of it: the kernel tells, and nothing in the shell has to
// help or can be in the way.
package watch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"

	"github.com/netfault/netfault/framework/internal/ktype"
	"github.com/netfault/netfault/framework/internal/ringevents"
	"github.com/netfault/netfault/framework/internal/tcbpf"
)

// ErrUnseen is wrapped where the kernel does not let programs be seen: in a user namespace, or without type information.
var ErrUnseen = errors.New("which programs are started cannot be seen")

// argumentsLength is how many bytes of a program's arguments are told.
const argumentsLength = 512

// An event is the length of the arguments, and the arguments, each ended by a zero byte.
const (
	eventArguments = 8
	eventLength    = eventArguments + argumentsLength
	eventsSize     = 1 << 18
)

const (
	mapEvents   = "events"
	programName = "started"
)

// layout is where the running kernel keeps what the program reads, in bytes from the structure's beginning.
type layout struct{ taskSignal, signalTTY, ttyIndex, taskNS, nsNet, netInode, taskMM, argStart, argEnd int32 }

// Watch is a watch of one terminal.
type Watch struct {
	collection *ebpf.Collection
	events     *ringevents.Events
}

// Start watches the terminal of that number, and calls seen with the arguments of each program that is started on it, until Stop. The
// inode is that of the network namespace that it is in, which tells terminals of one number apart.
func Start(number, inode uint32, seen func(argv []string)) (*Watch, error) {
	kernel, err := ktype.Kernel()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnseen, err)
	}
	l, err := readLayout(kernel)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnseen, err)
	}
	w := &Watch{}
	if w.collection, err = ebpf.NewCollection(collection(l, number, inode)); err != nil {
		return nil, fmt.Errorf("%w: the kernel does not take the program that looks for them: %w", ErrUnseen, err)
	}
	w.events, err = ringevents.Attach("sched_process_exec", w.collection.Programs[programName], w.collection.Maps[mapEvents], func(event []byte) {
		if argv := arguments(event); len(argv) > 0 {
			seen(argv)
		}
	})
	if err != nil {
		w.collection.Close()
		return nil, fmt.Errorf("%w: %w", ErrUnseen, err)
	}
	return w, nil
}

func readLayout(kernel *btf.Spec) (l layout, err error) {
	for _, f := range []struct {
		to           *int32
		strct, field string
	}{
		{&l.taskSignal, "task_struct", "signal"},
		{&l.signalTTY, "signal_struct", "tty"},
		{&l.ttyIndex, "tty_struct", "index"},
		{&l.taskNS, "task_struct", "nsproxy"},
		{&l.nsNet, "nsproxy", "net_ns"},
		{&l.netInode, "net", "ns.inum"},
		{&l.taskMM, "task_struct", "mm"},
		{&l.argStart, "mm_struct", "arg_start"},
		{&l.argEnd, "mm_struct", "arg_end"},
	} {
		if *f.to, err = ktype.Offset(kernel, f.strct, f.field); err != nil {
			return layout{}, err
		}
	}
	return l, nil
}

// arguments reads an event.
func arguments(event []byte) []string {
	if len(event) < eventLength {
		return nil
	}
	length := min(binary.NativeEndian.Uint32(event), argumentsLength)
	text := bytes.TrimRight(event[eventArguments:eventArguments+length], "\x00")
	if len(text) == 0 {
		return nil
	}
	return strings.Split(string(text), "\x00")
}

// Stop ends the watch, after all that was seen has been told.
func (w *Watch) Stop() error {
	defer w.collection.Close()
	return w.events.Stop()
}

func collection(l layout, number, inode uint32) *ebpf.CollectionSpec {
	return &ebpf.CollectionSpec{
		Maps: map[string]*ebpf.MapSpec{mapEvents: {Name: mapEvents, Type: ebpf.RingBuf, MaxEntries: eventsSize}},
		Programs: map[string]*ebpf.ProgramSpec{
			programName: {Name: programName, Type: ebpf.RawTracepoint, Instructions: instructions(l, number, inode), License: "Dual MIT/GPL"},
		},
		ByteOrder: binary.NativeEndian,
	}
}

// Slots of the stack, in bytes from the frame pointer.
const (
	slotPointer = -8  // a pointer that was read
	slotNumber  = -12 // a number of 4 bytes that was read
	slotEnd     = -24 // where the arguments end
)

// instructions are called with the task, its old ID, and the program that it has begun.
//
// Registers: R6 the task, R7 where its arguments begin, R8 their length, R9 the event.
func instructions(l layout, number, inode uint32) asm.Instructions {
	var b tcbpf.Builder
	b.Do(asm.LoadMem(asm.R6, asm.R1, 0, asm.DWord))
	// The terminal's number.
	follow(&b, asm.R6, l.taskSignal)
	follow(&b, asm.R7, l.signalTTY)
	b.Do(asm.JEq.Imm(asm.R7, 0, "out"))
	read(&b, slotNumber, 4, asm.R7, l.ttyIndex)
	b.Do(asm.LoadMem(asm.R1, asm.RFP, slotNumber, asm.Word), asm.JNE.Imm32(asm.R1, int32(number), "out"))
	// The network namespace.
	follow(&b, asm.R6, l.taskNS)
	follow(&b, asm.R7, l.nsNet)
	read(&b, slotNumber, 4, asm.R7, l.netInode)
	b.Do(asm.LoadMem(asm.R1, asm.RFP, slotNumber, asm.Word), asm.LoadImm(asm.R2, int64(inode), asm.DWord), asm.JNE.Reg(asm.R1, asm.R2, "out"))
	// The arguments.
	follow(&b, asm.R6, l.taskMM)
	b.Do(asm.Mov.Reg(asm.R6, asm.R7))
	read(&b, slotEnd, 8, asm.R6, l.argEnd)
	follow(&b, asm.R6, l.argStart)
	b.Do(
		asm.LoadMem(asm.R8, asm.RFP, slotEnd, asm.DWord),
		asm.Sub.Reg(asm.R8, asm.R7),
		asm.JLE.Imm(asm.R8, argumentsLength, "fits"),
		asm.Mov.Imm(asm.R8, argumentsLength),
	)
	b.Label("fits")
	b.Do(
		asm.LoadMapPtr(asm.R1, 0).WithReference(mapEvents),
		asm.Mov.Imm(asm.R2, eventLength),
		asm.Mov.Imm(asm.R3, 0),
	)
	b.Call(asm.FnRingbufReserve)
	b.Do(
		asm.JEq.Imm(asm.R0, 0, "out"),
		asm.Mov.Reg(asm.R9, asm.R0),
		asm.StoreMem(asm.R9, 0, asm.R8, asm.Word),
		asm.Mov.Reg(asm.R1, asm.R9), asm.Add.Imm(asm.R1, eventArguments),
		asm.Mov.Reg(asm.R2, asm.R8),
		asm.Mov.Reg(asm.R3, asm.R7),
	)
	b.Call(asm.FnProbeReadUser)
	b.Do(asm.Mov.Reg(asm.R1, asm.R9), asm.Mov.Imm(asm.R2, 0))
	b.Call(asm.FnRingbufSubmit)
	b.Label("out")
	b.Exit(0)
	return b.Instructions()
}

// follow reads a pointer, at an offset from what a register points at, into R7.
func follow(b *tcbpf.Builder, from asm.Register, offset int32) {
	read(b, slotPointer, 8, from, offset)
	b.Do(asm.LoadMem(asm.R7, asm.RFP, slotPointer, asm.DWord))
}

// read reads kernel memory, at an offset from what a register points at, into a slot of the stack: zeros if it cannot be read.
func read(b *tcbpf.Builder, slot int16, size int32, from asm.Register, offset int32) {
	b.StackPointer(asm.R1, slot)
	b.Do(asm.Mov.Imm(asm.R2, size), asm.Mov.Reg(asm.R3, from), asm.Add.Imm(asm.R3, offset))
	b.Call(asm.FnProbeReadKernel)
}
