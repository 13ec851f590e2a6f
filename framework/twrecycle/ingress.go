package twrecycle

import (
	"unsafe"

	"github.com/cilium/ebpf/asm"

	"github.com/netfault/netfault/framework/internal/ktype"
	"github.com/netfault/netfault/framework/internal/tcbpf"
)

// ingress makes the program that sees what peers send, before the kernel does. It looks up the socket that the segment is
// for, and checks SYNs to a listening one; of other segments it tells whether the kernel will accept them as the last thing
// that is missing for a record, where the kernel answers nothing that egress could see.
//
// Registers: R6 the context, R7 the socket as it was looked up, R8 the same as a kernel structure.
func ingress(l layout, semantics Semantics) asm.Instructions {
	p := &program{kernel: l, semantics: semantics}
	p.begin()
	p.Headers("pass")
	p.Do(
		// A reset makes no record, and without ACK only a SYN means anything.
		asm.LoadMem(asm.R1, asm.RFP, tcbpf.Flags, asm.Byte),
		asm.And.Imm(asm.R1, tcbpf.RST),
		asm.JNE.Imm(asm.R1, 0, "pass"),
		asm.LoadMem(asm.R1, asm.RFP, tcbpf.Flags, asm.Byte),
		asm.And.Imm(asm.R1, tcbpf.SYN|tcbpf.ACK),
		asm.JEq.Imm(asm.R1, 0, "pass"),
	)
	p.segment()
	p.identify(tcbpf.Source, tcbpf.Destination, tcbpf.SourcePort, tcbpf.DestinationPort)
	p.clocks()
	p.findSocket()
	p.Do(
		asm.LoadMem(asm.R1, asm.RFP, tcbpf.Flags, asm.Byte),
		asm.And.Imm(asm.R1, tcbpf.SYN),
		asm.JNE.Imm(asm.R1, 0, "syn"),
	)
	p.toFullSocket("not_full")
	p.fullSocket()
	p.Label("not_full")
	p.toTimeWait("release")
	p.orphanInFinWait2()

	p.Label("syn")
	p.checkSYN()

	p.Label("kept")
	p.remember("release")

	p.Label("release")
	p.Do(asm.Mov.Reg(asm.R1, asm.R7))
	p.Call(asm.FnSkRelease)
	p.Label("pass")
	p.Exit(tcbpf.ActUnspec)
	return p.Instructions()
}

// segment reads the segment's numbers and its timestamp into the stack.
func (p *program) segment() {
	p.PayloadLength(asm.R3, asm.R2)
	p.Do(
		asm.LoadMem(asm.R1, asm.RFP, tcbpf.Seq, asm.Word),
		asm.HostTo(asm.BE, asm.R1, asm.Word),
		asm.StoreMem(asm.RFP, slotSeq, asm.R1, asm.Word),
		asm.Add.Reg32(asm.R1, asm.R3),
		asm.StoreMem(asm.RFP, slotEnd, asm.R1, asm.Word),
		asm.LoadMem(asm.R1, asm.RFP, tcbpf.Ack, asm.Word),
		asm.HostTo(asm.BE, asm.R1, asm.Word),
		asm.StoreMem(asm.RFP, slotAck, asm.R1, asm.Word),
		asm.StoreImm(asm.RFP, slotHasTS, 0, asm.Word),
		asm.StoreImm(asm.RFP, slotTSVal, 0, asm.Word),
	)
	p.Timestamp("no_timestamp")
	p.Do(asm.Mov.Reg(asm.R2, asm.R8))
	p.LoadWord(slotTSVal, "no_timestamp")
	p.Do(
		asm.LoadMem(asm.R1, asm.RFP, slotTSVal, asm.Word),
		asm.HostTo(asm.BE, asm.R1, asm.Word),
		asm.StoreMem(asm.RFP, slotTSVal, asm.R1, asm.Word),
		asm.StoreImm(asm.RFP, slotHasTS, 1, asm.Word),
	)
	p.Label("no_timestamp")
}

// findSocket looks the connection's socket up in the interface's namespace and leaves it in R7, to be released.
func (p *program) findSocket() {
	p.Do(asm.Mov.Reg(asm.R1, asm.R6))
	p.StackPointer(asm.R2, slotConnection)
	p.Do(
		asm.Mov.Imm(asm.R3, int32(unsafe.Sizeof(connection{}))),
		asm.Mov.Imm(asm.R4, -1), // BPF_F_CURRENT_NETNS
		asm.Mov.Imm(asm.R5, 0),
	)
	p.Call(asm.FnSkcLookupTcp)
	p.Do(
		asm.JEq.Imm(asm.R0, 0, "pass"),
		asm.Mov.Reg(asm.R7, asm.R0),
	)
}

// toFullSocket makes R8 the socket as a struct tcp_sock, or jumps to other.
func (p *program) toFullSocket(other string) {
	p.Do(asm.Mov.Reg(asm.R1, asm.R7))
	p.Call(asm.FnSkcToTcpSock)
	p.Do(asm.JEq.Imm(asm.R0, 0, other), asm.Mov.Reg(asm.R8, asm.R0))
}

// toTimeWait makes R8 the socket as a struct tcp_timewait_sock, or jumps to other.
func (p *program) toTimeWait(other string) {
	p.Do(asm.Mov.Reg(asm.R1, asm.R7))
	p.Call(asm.FnSkcToTcpTimewaitSock)
	p.Do(asm.JEq.Imm(asm.R0, 0, other), asm.Mov.Reg(asm.R8, asm.R0))
}

// settings makes R9 the network namespace that the socket in R8 is in, and forgets the segment's timestamp if the
// namespace does not use them (net.ipv4.tcp_timestamps=0).
func (p *program) settings(net ktype.Member, next string) {
	p.Do(
		net.Load(asm.R9, asm.R8),
		p.kernel.timestamps.Load(asm.R1, asm.R9),
		asm.JNE.Imm(asm.R1, 0, next),
		asm.StoreImm(asm.RFP, slotHasTS, 0, asm.Word),
	)
	p.Label(next)
}

// fullSocket handles two changes of state that the kernel makes without a word: of an orphaned socket in FIN_WAIT1 whose
// FIN is acknowledged, and of one in CLOSING (both sides closed at once). It repeats the checks of
// tcp_rcv_state_process() and tcp_validate_incoming() (net/ipv4/tcp_input.c). R9 says whether a process holds the socket.
func (p *program) fullSocket() {
	l := p.kernel
	p.Do(
		// In this order: a close() that holds the socket now has orphaned it when it lets go.
		l.state.Load(asm.R1, asm.R8),
		l.owned.Load(asm.R9, asm.R8),
		asm.JEq.Imm(asm.R1, closing, "acknowledged"),
		asm.JNE.Imm(asm.R1, finWait1, "release"),
		asm.LoadMem(asm.R1, asm.RFP, tcbpf.Flags, asm.Byte),
		asm.And.Imm(asm.R1, tcbpf.FIN),
		asm.JNE.Imm(asm.R1, 0, "release"), // will be answered: egress sees it
		l.flags.Load(asm.R1, asm.R8),
		asm.And.Imm(asm.R1, sockDead),
		asm.JNE.Imm(asm.R1, 0, "orphan"),
		// A peer on the same machine acknowledges the FIN while close() is still sending it. The segment is then put
		// aside until close() has orphaned the socket.
		asm.JEq.Imm(asm.R9, 0, "release"),
		l.shutdown.Load(asm.R1, asm.R8),
		asm.And.Imm(asm.R1, shutdownMask),
		asm.JNE.Imm(asm.R1, shutdownMask, "release"),
	)
	p.Label("orphan")
	p.Do(
		// TCP_LINGER2 below 0 means no FIN_WAIT2 at all, and new data for an orphan is answered with a reset.
		l.linger2.Load(asm.R1, asm.R8),
		asm.JSLT.Imm32(asm.R1, 0, "release"),
		asm.LoadMem(asm.R1, asm.RFP, slotEnd, asm.Word),
		l.rcvNxt.Load(asm.R2, asm.R8),
		asm.Sub.Reg32(asm.R1, asm.R2),
		asm.JSGT.Imm32(asm.R1, 0, "release"),
	)
	p.Label("acknowledged")
	p.Do(
		// All is acknowledged, the FIN as well. (What was not sent yet cannot be: snd_nxt would tell, but while a process
		// holds the socket it lags behind what is on the wire.)
		asm.LoadMem(asm.R1, asm.RFP, slotAck, asm.Word),
		l.writeSeq.Load(asm.R2, asm.R8),
		asm.JNE.Reg32(asm.R1, asm.R2, "release"),
		// In the window.
		asm.LoadMem(asm.R1, asm.RFP, slotEnd, asm.Word),
		l.rcvWup.Load(asm.R2, asm.R8),
		asm.Sub.Reg32(asm.R1, asm.R2),
		asm.JSLT.Imm32(asm.R1, 0, "release"),
		asm.LoadMem(asm.R1, asm.RFP, slotSeq, asm.Word),
		asm.Sub.Reg32(asm.R1, asm.R2),
		l.rcvWnd.Load(asm.R2, asm.R8),
		asm.Sub.Reg32(asm.R1, asm.R2),
		asm.JSGT.Imm32(asm.R1, 0, "release"),
		// Not older than the last timestamp.
		l.tsRecentStamp.Load(asm.R1, asm.R8),
		asm.JEq.Imm(asm.R1, 0, "release"),
		asm.LoadMem(asm.R1, asm.RFP, slotHasTS, asm.Word),
		asm.JEq.Imm(asm.R1, 0, "older_value"),
		l.tsRecent.Load(asm.R1, asm.R8),
		asm.JEq.Imm(asm.R1, 0, "in_order"),
		asm.LoadMem(asm.R2, asm.RFP, slotTSVal, asm.Word),
		asm.Sub.Reg32(asm.R1, asm.R2),
		asm.JSGT.Imm32(asm.R1, 0, "release"),
	)
	p.Label("in_order")
	p.Do(
		// Its timestamp counts if the segment is the next one; while a process holds the socket, what came before this
		// segment may wait as well.
		asm.LoadMem(asm.R1, asm.RFP, slotSeq, asm.Word),
		l.rcvWup.Load(asm.R2, asm.R8),
		asm.JEq.Reg32(asm.R1, asm.R2, "new_value"),
		asm.JEq.Imm(asm.R9, 0, "older_value"),
	)
	p.Label("new_value")
	p.valueNow()
	p.Do(asm.Ja.Label("closed"))
	p.Label("older_value")
	p.valueKept(l.tsRecent, l.tsRecentStamp)
	p.Label("closed")
	p.lifetime()
	p.Do(
		asm.Mov.Imm(asm.R2, 0),
		asm.StoreMem(asm.RFP, slotTimeWait+offsetUntil, asm.R2, asm.DWord),
		l.state.Load(asm.R2, asm.R8),
		asm.JNE.Imm(asm.R2, closing, "keep"),
	)
	p.until()
	p.Label("keep")
	p.UpdateMap(mapTimeWait, slotConnection, slotTimeWait)
	p.Do(asm.Ja.Label("kept"))
}

// orphanInFinWait2 handles the peer's FIN for what is left of an orphaned socket: tcp_timewait_state_process()
// (net/ipv4/tcp_minisocks.c). Nobody can hold that, so what is true now is true when the kernel sees the segment.
func (p *program) orphanInFinWait2() {
	l := p.kernel
	p.Do(
		l.twSubstate.Load(asm.R1, asm.R8),
		asm.JNE.Imm(asm.R1, finWait2, "release"),
		l.twTSRecentStamp.Load(asm.R1, asm.R8),
		asm.JEq.Imm(asm.R1, 0, "release"),
		asm.LoadMem(asm.R1, asm.RFP, tcbpf.Flags, asm.Byte),
		asm.And.Imm(asm.R1, tcbpf.FIN),
		asm.JEq.Imm(asm.R1, 0, "release"),
		// Data before the FIN is answered with a reset.
		asm.LoadMem(asm.R1, asm.RFP, slotEnd, asm.Word),
		l.twRcvNxt.Load(asm.R2, asm.R8),
		asm.JNE.Reg32(asm.R1, asm.R2, "release"),
	)
	p.settings(l.twNet, "fin_settings")
	p.Do(
		asm.LoadMem(asm.R1, asm.RFP, slotHasTS, asm.Word),
		asm.JEq.Imm(asm.R1, 0, "fin_older_value"),
		l.twTSRecent.Load(asm.R1, asm.R8),
		asm.JEq.Imm(asm.R1, 0, "fin_new_value"),
		asm.LoadMem(asm.R2, asm.RFP, slotTSVal, asm.Word),
		asm.Sub.Reg32(asm.R1, asm.R2),
		asm.JSGT.Imm32(asm.R1, 0, "release"),
	)
	p.Label("fin_new_value")
	p.valueNow()
	p.Do(asm.Ja.Label("time_wait"))
	p.Label("fin_older_value")
	p.valueKept(l.twTSRecent, l.twTSRecentStamp)
	p.Label("time_wait")
	p.LookupMap(mapTimeWait, slotConnection)
	p.Do(
		asm.JEq.Imm(asm.R0, 0, "kept"),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord),
		asm.LoadMem(asm.R2, asm.RFP, slotMono, asm.DWord),
		asm.Add.Reg(asm.R1, asm.R2),
		asm.StoreMem(asm.R0, offsetUntil, asm.R1, asm.DWord),
		asm.Ja.Label("kept"),
	)
}
