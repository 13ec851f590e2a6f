package drops

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"

	"github.com/netfault/netfault/framework/internal/ktype"
	"github.com/netfault/netfault/framework/internal/tcbpf"
)

// The maps that the program and user space share.
const (
	mapNamespaces = "namespaces" // inode number of a namespace that is watched → 1
	mapEvents     = "events"     // ring buffer of events
	mapLost       = "lost"       // one counter: events for which there was no room
)

// An event in the ring buffer: the namespace's inode number and the reason, 4 bytes each; the interface's name; the packet from
// its network header on.
const (
	eventReason  = 4
	eventName    = 8
	nameLength   = 16 // IFNAMSIZ
	eventPacket  = eventName + nameLength
	packetLength = 104 // enough for the ports within VXLAN: 20+8+8+14+20+4, and options
	eventLength  = eventPacket + packetLength
)

// eventsSize is the ring buffer's: a power of two, for 32,000 packets.
const eventsSize = 4 << 20

// layout is where the running kernel keeps what the program reads, in bytes from the structure's beginning.
type layout struct {
	skbDev, skbSock, skbHead, skbNetworkHeader int32
	devNet, devName, sockNet, netInode         int32
}

func readLayout(kernel *btf.Spec) (layout, error) {
	var l layout
	for _, f := range []struct {
		to           *int32
		strct, field string
	}{
		{&l.skbDev, "sk_buff", "dev"},
		{&l.skbSock, "sk_buff", "sk"},
		{&l.skbHead, "sk_buff", "head"},
		{&l.skbNetworkHeader, "sk_buff", "network_header"},
		{&l.devNet, "net_device", "nd_net.net"},
		{&l.devName, "net_device", "name"},
		{&l.sockNet, "sock_common", "skc_net.net"},
		{&l.netInode, "net", "ns.inum"},
	} {
		var err error
		if *f.to, err = ktype.Offset(kernel, f.strct, f.field); err != nil {
			return layout{}, err
		}
	}
	return l, nil
}

// tellsReasons returns an error if the kernel's tracepoint has no reason: its third argument since 5.17, and with it a field of its
// record.
func tellsReasons(kernel *btf.Spec) error {
	if _, err := ktype.Offset(kernel, "trace_event_raw_kfree_skb", "reason"); err != nil {
		return fmt.Errorf("this kernel does not say why it drops packets, as Linux 5.17 and newer do: %w", err)
	}
	return nil
}

// reasons are the kernel's names of its reasons, without what is common to all, such as "OTHERHOST".
func reasons(kernel *btf.Spec) (map[uint32]string, error) {
	var enum *btf.Enum
	if err := kernel.TypeByName("skb_drop_reason", &enum); err != nil {
		return nil, fmt.Errorf("this kernel's enum skb_drop_reason: %w", err)
	}
	names := map[uint32]string{}
	for _, v := range enum.Values {
		names[uint32(v.Value)] = strings.TrimPrefix(strings.TrimPrefix(v.Name, "SKB_DROP_REASON_"), "SKB_")
	}
	return names, nil
}

func collection(l layout, namespaces int) *ebpf.CollectionSpec {
	return &ebpf.CollectionSpec{
		Maps: map[string]*ebpf.MapSpec{
			mapNamespaces: {Name: mapNamespaces, Type: ebpf.Hash, KeySize: 4, ValueSize: 4, MaxEntries: uint32(max(namespaces, 1))},
			mapEvents:     {Name: mapEvents, Type: ebpf.RingBuf, MaxEntries: eventsSize},
			mapLost:       {Name: mapLost, Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1},
		},
		Programs: map[string]*ebpf.ProgramSpec{
			programName: {Name: programName, Type: ebpf.RawTracepoint, Instructions: instructions(l), License: "Dual MIT/GPL"},
		},
		ByteOrder: binary.NativeEndian,
	}
}

const programName = "nf_drops"

// Slots of the stack, in bytes from the frame pointer.
const (
	slotPointer = -8  // a pointer that was read
	slotInode   = -12 // that of the namespace, 4 bytes
	slotOffset  = -14 // that of the network header, 2 bytes
)

// instructions are called with skb, location, reason.
//
// Registers: R6 the reason, R7 the packet, R8 its interface, R9 the namespace and then the event.
func instructions(l layout) asm.Instructions {
	var b tcbpf.Builder
	b.Do(
		asm.LoadMem(asm.R7, asm.R1, 0, asm.DWord),
		asm.LoadMem(asm.R6, asm.R1, 16, asm.Word),
	)
	// Its interface has the namespace, or where it has none yet, its socket.
	read(&b, slotPointer, 8, asm.R7, l.skbDev)
	b.Do(
		asm.LoadMem(asm.R8, asm.RFP, slotPointer, asm.DWord),
		asm.JEq.Imm(asm.R8, 0, "socket"),
	)
	read(&b, slotPointer, 8, asm.R8, l.devNet)
	b.Do(asm.Ja.Label("namespace"))
	b.Label("socket")
	read(&b, slotPointer, 8, asm.R7, l.skbSock)
	b.Do(
		asm.LoadMem(asm.R9, asm.RFP, slotPointer, asm.DWord),
		asm.JEq.Imm(asm.R9, 0, "out"),
	)
	read(&b, slotPointer, 8, asm.R9, l.sockNet)
	b.Label("namespace")
	b.Do(asm.LoadMem(asm.R9, asm.RFP, slotPointer, asm.DWord))
	read(&b, slotInode, 4, asm.R9, l.netInode)
	b.LookupMap(mapNamespaces, slotInode)
	b.Do(
		asm.JEq.Imm(asm.R0, 0, "out"),
		asm.LoadMapPtr(asm.R1, 0).WithReference(mapEvents),
		asm.Mov.Imm(asm.R2, eventLength),
		asm.Mov.Imm(asm.R3, 0),
	)
	b.Call(asm.FnRingbufReserve)
	b.Do(
		asm.JEq.Imm(asm.R0, 0, "lost"),
		asm.Mov.Reg(asm.R9, asm.R0),
		asm.LoadMem(asm.R1, asm.RFP, slotInode, asm.Word),
		asm.StoreMem(asm.R9, 0, asm.R1, asm.Word),
		asm.StoreMem(asm.R9, eventReason, asm.R6, asm.Word),
		asm.Mov.Imm(asm.R1, 0),
		asm.StoreMem(asm.R9, eventName, asm.R1, asm.DWord),
		asm.StoreMem(asm.R9, eventName+8, asm.R1, asm.DWord),
		asm.JEq.Imm(asm.R8, 0, "packet"),
		asm.Mov.Reg(asm.R1, asm.R9), asm.Add.Imm(asm.R1, eventName),
		asm.Mov.Imm(asm.R2, nameLength),
		asm.Mov.Reg(asm.R3, asm.R8), asm.Add.Imm(asm.R3, l.devName),
	)
	b.Call(asm.FnProbeReadKernel)
	b.Label("packet")
	read(&b, slotPointer, 8, asm.R7, l.skbHead)
	read(&b, slotOffset, 2, asm.R7, l.skbNetworkHeader)
	b.Do(
		asm.Mov.Reg(asm.R1, asm.R9), asm.Add.Imm(asm.R1, eventPacket),
		asm.Mov.Imm(asm.R2, packetLength),
		asm.LoadMem(asm.R3, asm.RFP, slotPointer, asm.DWord),
		asm.LoadMem(asm.R4, asm.RFP, slotOffset, asm.Half),
		asm.Add.Reg(asm.R3, asm.R4),
	)
	b.Call(asm.FnProbeReadKernel)
	b.Do(asm.Mov.Reg(asm.R1, asm.R9), asm.Mov.Imm(asm.R2, 0))
	b.Call(asm.FnRingbufSubmit)
	b.Do(asm.Ja.Label("out"))
	b.Label("lost")
	b.Do(
		asm.LoadMapValue(asm.R1, 0, 0).WithReference(mapLost),
		asm.Mov.Imm(asm.R2, 1),
		asm.AddAtomic.Mem(asm.R1, asm.R2, asm.DWord, 0),
	)
	b.Label("out")
	b.Exit(0)
	return b.Instructions()
}

// read reads kernel memory, at an offset from what a register points at, into a slot of the stack: zeros if it cannot be read.
func read(b *tcbpf.Builder, slot int16, size int32, from asm.Register, offset int32) {
	b.StackPointer(asm.R1, slot)
	b.Do(asm.Mov.Imm(asm.R2, size), asm.Mov.Reg(asm.R3, from), asm.Add.Imm(asm.R3, offset))
	b.Call(asm.FnProbeReadKernel)
}
