package twrecycle

import (
	"unsafe"

	"github.com/cilium/ebpf/asm"

	"github.com/netfault/netfault/framework/internal/tcbpf"
)

// checkSYN drops a SYN as tcp_conn_request() with tcp_peer_is_proven() does (net/ipv4/tcp_input.c, tcp_metrics.c, 4.4 to
// 4.11; tcp_v4_conn_request() in 3.10). The socket that the lookup found is in R7.
func (p *program) checkSYN() {
	l := p.kernel
	p.Do(
		// Neither a SYN-ACK nor nonsense.
		asm.LoadMem(asm.R1, asm.RFP, tcbpf.Flags, asm.Byte),
		asm.And.Imm(asm.R1, tcbpf.ACK|tcbpf.FIN),
		asm.JNE.Imm(asm.R1, 0, "release"),
	)
	p.toFullSocket("syn_time_wait")
	p.Do(asm.Ja.Label("listener"))
	p.Label("syn_time_wait")
	p.expiredTimeWait()
	p.Label("listener")
	p.Do(
		l.state.Load(asm.R1, asm.R8),
		asm.JNE.Imm(asm.R1, listen, "release"),
		// A full accept queue: the kernel drops the SYN by itself. A full queue of SYNs: that, or a SYN cookie.
		l.maxBacklog.Load(asm.R2, asm.R8),
		l.acceptQueue.Load(asm.R1, asm.R8),
		asm.JGT.Reg32(asm.R1, asm.R2, "release"),
		l.synQueue.Load(asm.R1, asm.R8),
		asm.JGT.Reg32(asm.R1, asm.R2, "release"),
	)
	p.settings(l.net, "syn_settings")
	if p.semantics == V310 {
		p.Do(asm.LoadMem(asm.R1, asm.RFP, slotHasTS, asm.Word), asm.JEq.Imm(asm.R1, 0, "release"))
	} else {
		const always = 2 // SYN cookies, whether the queue is full or not
		p.Do(l.syncookies.Load(asm.R1, asm.R9), asm.JEq.Imm(asm.R1, always, "release"))
	}
	p.LookupMap(mapRecords, slotPeer)
	p.Do(
		asm.JEq.Imm(asm.R0, 0, "release"),
		asm.LoadMem(asm.R1, asm.RFP, slotNow, asm.DWord),
		asm.LoadMem(asm.R2, asm.R0, offsetStamp, asm.DWord),
		asm.Sub.Reg32(asm.R1, asm.R2),
		asm.JGE.Imm32(asm.R1, pawsMSL, "release"),
		asm.LoadMem(asm.R1, asm.RFP, slotHasTS, asm.Word),
		asm.JEq.Imm(asm.R1, 0, "drop"),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.Word),
		asm.LoadMem(asm.R2, asm.RFP, slotTSVal, asm.Word),
		asm.Sub.Reg32(asm.R1, asm.R2),
		asm.JSLE.Imm32(asm.R1, pawsWindow, "release"),
	)
	p.Label("drop")
	p.Do(
		asm.LoadMapValue(asm.R1, 0, uint32(unsafe.Offsetof(drops{}.Count))).WithReference(mapDrops),
		asm.Mov.Imm(asm.R2, 1),
		asm.StoreXAdd(asm.R1, asm.R2, asm.DWord),
		asm.LoadMapValue(asm.R1, 0, uint32(unsafe.Offsetof(drops{}.Last))).WithReference(mapDrops),
		asm.LoadMem(asm.R2, asm.RFP, slotMono, asm.DWord),
		asm.StoreMem(asm.R1, 0, asm.R2, asm.DWord),
		asm.Mov.Reg(asm.R1, asm.R7),
	)
	p.Call(asm.FnSkRelease)
	p.Exit(tcbpf.ActShot)
}

// expiredTimeWait lets a SYN pass that hits a TIME_WAIT of its own 4-tuple: the kernel answers it without the check. The
// old kernels, however, would have ended that TIME_WAIT after 3.5 times the retransmission timeout, where today's keeps it
// for 60 s. After that time R7 and R8 become the listening socket that the SYN would have met.
func (p *program) expiredTimeWait() {
	p.toTimeWait("release") // else half-open
	p.LookupMap(mapTimeWait, slotConnection)
	p.Do(
		asm.JEq.Imm(asm.R0, 0, "release"),
		asm.LoadMem(asm.R1, asm.R0, offsetUntil, asm.DWord),
		asm.JEq.Imm(asm.R1, 0, "release"), // FIN_WAIT2
		asm.LoadMem(asm.R2, asm.RFP, slotMono, asm.DWord),
		asm.JLT.Reg(asm.R2, asm.R1, "release"),
		asm.Mov.Reg(asm.R1, asm.R7),
	)
	p.Call(asm.FnSkRelease)
	// No connection has port 0, so this finds the listening socket.
	p.Do(asm.StoreImm(asm.RFP, slotConnection+offsetPeerPort, 0, asm.Half))
	p.findSocket()
	p.toFullSocket("release")
}
