package twrecycle

import (
	"github.com/cilium/ebpf/asm"

	"github.com/netfault/netfault/framework/internal/tcbpf"
)

// egress makes the program that sees what the namespace sends. It looks for the acknowledgment of the peer's FIN by a
// socket in FIN_WAIT2: tcp_fin() (net/ipv4/tcp_input.c, up to 6.18 at least) sends it with all that the FIN brought in
// place, and goes into TIME_WAIT next. That the socket itself tells its state makes up for what the packets alone do not
// show: whether the FIN was accepted, also when a process held the socket and the FIN had to wait.
func egress(l layout, semantics Semantics) asm.Instructions {
	p := &program{kernel: l, semantics: semantics}
	p.begin()
	p.Do(
		asm.LoadMem(asm.R1, asm.R6, tcbpf.SkbSocket, asm.DWord),
		asm.JEq.Imm(asm.R1, 0, "pass"),
	)
	p.Call(asm.FnSkcToTcpSock)
	p.Do(
		asm.JEq.Imm(asm.R0, 0, "pass"),
		asm.Mov.Reg(asm.R8, asm.R0),
		l.state.Load(asm.R1, asm.R8),
		asm.JNE.Imm(asm.R1, finWait2, "pass"),
		l.flags.Load(asm.R1, asm.R8),
		asm.And.Imm(asm.R1, sockDone),
		asm.JEq.Imm(asm.R1, 0, "pass"),
		l.tsRecentStamp.Load(asm.R1, asm.R8),
		asm.JEq.Imm(asm.R1, 0, "pass"), // a connection without timestamps
	)
	p.Headers("pass")
	p.identify(tcbpf.Destination, tcbpf.Source, tcbpf.DestinationPort, tcbpf.SourcePort)
	p.clocks()
	p.valueKept(l.tsRecent, l.tsRecentStamp)
	p.lifetime()
	p.until()
	p.UpdateMap(mapTimeWait, slotConnection, slotTimeWait)
	p.remember("pass")
	p.Label("pass")
	p.Exit(tcbpf.ActUnspec)
	return p.Instructions()
}
