package twrecycle

import (
	"unsafe"

	"github.com/cilium/ebpf/asm"

	"github.com/netfault/netfault/framework/internal/ktype"
	"github.com/netfault/netfault/framework/internal/tcbpf"
)

// program is a tc program under construction.
type program struct {
	tcbpf.Builder
	kernel    layout
	semantics Semantics
}

// Slots of the stack, in bytes from the frame pointer. Numbers are in host byte order, addresses and ports as in packets.
const (
	slotTSVal      = tcbpf.StackFree - 4  // the segment's TSval
	slotHasTS      = tcbpf.StackFree - 8  // 1 if the segment has a timestamp, else 0
	slotSeq        = tcbpf.StackFree - 12 // its sequence number
	slotAck        = tcbpf.StackFree - 16 // its acknowledgment number
	slotEnd        = tcbpf.StackFree - 20 // the sequence number after its payload, without FIN
	slotMono       = tcbpf.StackFree - 32 // nanoseconds of the monotonic clock
	slotNow        = tcbpf.StackFree - 40 // seconds of wall-clock time
	slotPeer       = tcbpf.StackFree - 48 // peerKey
	slotValue      = tcbpf.StackFree - 64 // peerValue
	slotTimeWait   = tcbpf.StackFree - 80 // timeWait
	slotConnection = tcbpf.StackFree - 96 // connection
)

// Offsets within the maps' values and keys.
const (
	offsetStamp     = int16(unsafe.Offsetof(peerValue{}.Stamp))
	offsetLocal     = int16(unsafe.Offsetof(peerKey{}.Local))
	offsetUntil     = int16(unsafe.Offsetof(timeWait{}.Until))
	offsetLocalAddr = int16(unsafe.Offsetof(connection{}.Local))
	offsetPeerPort  = int16(unsafe.Offsetof(connection{}.PeerPort))
	offsetLocalPort = int16(unsafe.Offsetof(connection{}.LocalPort))
)

const (
	nanoseconds = 1_000_000_000
	// pawsMSL is TCP_PAWS_MSL in seconds (include/net/tcp.h): how long a record counts.
	pawsMSL = 60
	// pawsWindow is TCP_PAWS_WINDOW: by how much a SYN's timestamp may be older than the record.
	pawsWindow = 1
)

// States of sockets (include/net/tcp_states.h), and SOCK_DEAD and SOCK_DONE of enum sock_flags (include/net/sock.h).
const (
	finWait1 = 4
	finWait2 = 5
	listen   = 10
	closing  = 11

	sockDead = 1 << 0 // nobody holds the socket any more: close() was called
	sockDone = 1 << 1 // the peer's FIN was received
)

// shutdownMask is what sk_shutdown is from the beginning of close() on (SHUTDOWN_MASK).
const shutdownMask = 3

// begin starts the program: the context into R6, and out at once unless the setting is on.
func (p *program) begin() {
	p.Do(
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMapValue(asm.R1, 0, uint32(unsafe.Offsetof(config{}.On))).WithReference(mapConfig),
		asm.LoadMem(asm.R1, asm.R1, 0, asm.Word),
		asm.JEq.Imm(asm.R1, 0, "pass"),
	)
}

// clocks reads the time. The wall clock is the monotonic one with an offset, since tc programs cannot read it before 6.1.
func (p *program) clocks() {
	p.Call(asm.FnKtimeGetNs)
	p.Do(
		asm.StoreMem(asm.RFP, slotMono, asm.R0, asm.DWord),
		asm.LoadMapValue(asm.R1, 0, uint32(unsafe.Offsetof(config{}.Offset))).WithReference(mapConfig),
		asm.LoadMem(asm.R1, asm.R1, 0, asm.DWord),
		asm.Add.Reg(asm.R0, asm.R1),
		asm.Div.Imm(asm.R0, nanoseconds),
		asm.StoreMem(asm.RFP, slotNow, asm.R0, asm.DWord),
	)
}

// identify fills slotConnection and slotPeer from the packet's headers, of which the peer wrote those at peer.
func (p *program) identify(peer, local, peerPort, localPort int16) {
	p.Do(
		asm.LoadMem(asm.R1, asm.RFP, peer, asm.Word),
		asm.StoreMem(asm.RFP, slotConnection, asm.R1, asm.Word),
		asm.StoreMem(asm.RFP, slotPeer, asm.R1, asm.Word),
		asm.LoadMem(asm.R1, asm.RFP, local, asm.Word),
		asm.StoreMem(asm.RFP, slotConnection+offsetLocalAddr, asm.R1, asm.Word),
	)
	if p.semantics == V310 {
		p.Do(asm.Mov.Imm(asm.R1, 0))
	}
	p.Do(
		asm.StoreMem(asm.RFP, slotPeer+offsetLocal, asm.R1, asm.Word),
		asm.LoadMem(asm.R1, asm.RFP, peerPort, asm.Half),
		asm.StoreMem(asm.RFP, slotConnection+offsetPeerPort, asm.R1, asm.Half),
		asm.LoadMem(asm.R1, asm.RFP, localPort, asm.Half),
		asm.StoreMem(asm.RFP, slotConnection+offsetLocalPort, asm.R1, asm.Half),
	)
}

// valueNow makes the segment's timestamp, accepted in this second, the value to remember.
func (p *program) valueNow() {
	p.Do(
		asm.LoadMem(asm.R1, asm.RFP, slotTSVal, asm.Word),
		asm.StoreMem(asm.RFP, slotValue, asm.R1, asm.DWord),
		asm.LoadMem(asm.R1, asm.RFP, slotNow, asm.DWord),
		asm.StoreMem(asm.RFP, slotValue+offsetStamp, asm.R1, asm.DWord),
	)
}

// valueKept makes the timestamp that the socket in R8 accepted last the value to remember. The running kernel stamps it
// with whole seconds of its coarse monotonic clock, so its age is whole seconds, too: exact when it was accepted just now,
// as nearly always, and else up to a second too long or too short. R9 is overwritten.
func (p *program) valueKept(value, stamp ktype.Member) {
	p.Do(
		value.Load(asm.R1, asm.R8),
		asm.StoreMem(asm.RFP, slotValue, asm.R1, asm.DWord),
		stamp.Load(asm.R9, asm.R8),
	)
	p.Call(asm.FnKtimeGetCoarseNs)
	p.Do(
		asm.Div.Imm(asm.R0, nanoseconds),
		asm.Sub.Reg(asm.R0, asm.R9),
		asm.LoadMem(asm.R1, asm.RFP, slotNow, asm.DWord),
		asm.Sub.Reg(asm.R1, asm.R0),
		asm.StoreMem(asm.RFP, slotValue+offsetStamp, asm.R1, asm.DWord),
	)
}

// lifetime puts how long the old kernels keep the connection of the full socket in R8 in TIME_WAIT into R1 and the slot.
func (p *program) lifetime() {
	const initialRTO = 1_000_000 // microseconds: TCP_TIMEOUT_INIT, of a connection that has not measured its round trip
	p.Do(
		asm.Mov.Imm(asm.R1, initialRTO),
		p.kernel.srtt.Load(asm.R2, asm.R8),
		asm.JEq.Imm(asm.R2, 0, "lifetime"),
		asm.RSh.Imm(asm.R2, 3), // kept in eighths
		p.kernel.rttvar.Load(asm.R1, asm.R8),
		asm.Add.Reg(asm.R1, asm.R2),
	)
	p.Label("lifetime")
	p.Do(
		asm.Mul.Imm(asm.R1, 3500), // 3.5 times, in nanoseconds
		asm.StoreMem(asm.RFP, slotTimeWait, asm.R1, asm.DWord),
	)
}

// until says when TIME_WAIT, which begins now and lasts for R1 nanoseconds, is over.
func (p *program) until() {
	p.Do(
		asm.LoadMem(asm.R2, asm.RFP, slotMono, asm.DWord),
		asm.Add.Reg(asm.R2, asm.R1),
		asm.StoreMem(asm.RFP, slotTimeWait+offsetUntil, asm.R2, asm.DWord),
	)
}

// remember writes the value into the peer's record as tcp_remember_stamp() does (net/ipv4/tcp_metrics.c, 3.10 to 4.11): if
// it is not older than the one there, or if that is from more than 60 s ago and not from a later second. It ends with a
// jump to done.
func (p *program) remember(done string) {
	p.LookupMap(mapRecords, slotPeer)
	p.Do(
		asm.JEq.Imm(asm.R0, 0, "write"),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.Word),
		asm.LoadMem(asm.R2, asm.RFP, slotValue, asm.Word),
		asm.Sub.Reg32(asm.R1, asm.R2),
		asm.JSLE.Imm32(asm.R1, 0, "write"),
		asm.LoadMem(asm.R2, asm.R0, offsetStamp, asm.DWord),
		asm.LoadMem(asm.R1, asm.RFP, slotNow, asm.DWord),
		asm.Sub.Reg32(asm.R1, asm.R2), // 32 bits, as there: from a later second is from long ago
		asm.JLE.Imm32(asm.R1, pawsMSL, done),
		asm.LoadMem(asm.R1, asm.RFP, slotValue+offsetStamp, asm.DWord),
		asm.JGT.Reg32(asm.R2, asm.R1, done),
	)
	p.Label("write")
	p.UpdateMap(mapRecords, slotPeer, slotValue)
	p.Do(asm.Ja.Label(done))
}
