package twrecycle

import (
	"fmt"
	"strings"

	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// member is where a field lies within a structure of the running kernel.
type member struct {
	offset int16
	size   asm.Size
}

// load reads the field of the structure that src points at; smaller ones are filled up with zeros.
func (m member) load(dst, src asm.Register) asm.Instruction {
	return asm.LoadMem(dst, src, m.offset, m.size)
}

// layout is where the running kernel keeps what the programs read from its sockets. The names are those of 5.9 to 6.18.
type layout struct {
	// struct tcp_sock: any socket but those in TIME_WAIT and SYN_RECV
	state, flags, shutdown, owned, net             member
	acceptQueue, maxBacklog, synQueue              member
	writeSeq, rcvNxt, rcvWup, rcvWnd               member
	tsRecent, tsRecentStamp, linger2, srtt, rttvar member
	// struct tcp_timewait_sock: what is left of a socket in TIME_WAIT, or of an orphan in FIN_WAIT2
	twSubstate, twRcvNxt, twTSRecent, twTSRecentStamp, twNet member
	// struct net: settings of the network namespace
	timestamps, syncookies member
}

// readLayout looks the fields up in the type information (BTF) that the kernel carries.
func readLayout() (layout, error) {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return layout{}, fmt.Errorf("this kernel has no type information (CONFIG_DEBUG_INFO_BTF, /sys/kernel/btf/vmlinux): %w", err)
	}
	const (
		csk    = "inet_conn."
		sk     = csk + "icsk_inet.sk."
		common = sk + "__sk_common."
	)
	var l layout
	for _, f := range []struct {
		to           *member
		strct, field string
	}{
		{&l.state, "tcp_sock", common + "skc_state"},
		{&l.flags, "tcp_sock", common + "skc_flags"},
		{&l.net, "tcp_sock", common + "skc_net.net"},
		{&l.shutdown, "tcp_sock", sk + "sk_shutdown"},
		{&l.owned, "tcp_sock", sk + "sk_lock.owned"},
		{&l.acceptQueue, "tcp_sock", sk + "sk_ack_backlog"},
		{&l.maxBacklog, "tcp_sock", sk + "sk_max_ack_backlog"},
		{&l.synQueue, "tcp_sock", csk + "icsk_accept_queue.qlen.counter"},
		{&l.writeSeq, "tcp_sock", "write_seq"},
		{&l.rcvNxt, "tcp_sock", "rcv_nxt"},
		{&l.rcvWup, "tcp_sock", "rcv_wup"},
		{&l.rcvWnd, "tcp_sock", "rcv_wnd"},
		{&l.tsRecent, "tcp_sock", "rx_opt.ts_recent"},
		{&l.tsRecentStamp, "tcp_sock", "rx_opt.ts_recent_stamp"},
		{&l.linger2, "tcp_sock", "linger2"},
		{&l.srtt, "tcp_sock", "srtt_us"},
		{&l.rttvar, "tcp_sock", "rttvar_us"},
		{&l.twSubstate, "tcp_timewait_sock", "tw_sk.tw_substate"},
		{&l.twNet, "tcp_timewait_sock", "tw_sk.__tw_common.skc_net.net"},
		{&l.twRcvNxt, "tcp_timewait_sock", "tw_sk.__tw_common.skc_tw_rcv_nxt"},
		{&l.twTSRecent, "tcp_timewait_sock", "tw_ts_recent"},
		{&l.twTSRecentStamp, "tcp_timewait_sock", "tw_ts_recent_stamp"},
		{&l.timestamps, "net", "ipv4.sysctl_tcp_timestamps"},
		{&l.syncookies, "net", "ipv4.sysctl_tcp_syncookies"},
	} {
		if *f.to, err = lookUp(kernel, f.strct, f.field); err != nil {
			return layout{}, err
		}
	}
	return l, nil
}

// lookUp finds a field by its path within a structure, such as "rx_opt.ts_recent".
func lookUp(kernel *btf.Spec, strct, path string) (member, error) {
	var typ *btf.Struct
	if err := kernel.TypeByName(strct, &typ); err != nil {
		return member{}, fmt.Errorf("this kernel's struct %s: %w", strct, err)
	}
	var offset btf.Bits
	var current btf.Type = typ
	for name := range strings.SplitSeq(path, ".") {
		found, at := find(current, name)
		if found == nil {
			return member{}, fmt.Errorf("this kernel's struct %s has no %s", strct, path)
		}
		offset += at
		current = found
	}
	size, err := btf.Sizeof(current)
	if err != nil {
		return member{}, fmt.Errorf("this kernel's struct %s: %s: %w", strct, path, err)
	}
	loads := map[int]asm.Size{1: asm.Byte, 2: asm.Half, 4: asm.Word, 8: asm.DWord}
	load, ok := loads[size]
	if !ok || offset%8 != 0 || offset/8 > 1<<15-1 {
		return member{}, fmt.Errorf("this kernel's struct %s: %s has %d bytes at bit %d: cannot be read", strct, path, size, offset)
	}
	return member{int16(offset / 8), load}, nil
}

// find looks for a field in a structure or union, and in what is nested in it without a name.
func find(in btf.Type, name string) (btf.Type, btf.Bits) {
	var members []btf.Member
	switch t := btf.UnderlyingType(in).(type) {
	case *btf.Struct:
		members = t.Members
	case *btf.Union:
		members = t.Members
	}
	for _, m := range members {
		if m.Name == name && m.BitfieldSize == 0 {
			return m.Type, m.Offset
		}
		if m.Name == "" {
			if found, at := find(m.Type, name); found != nil {
				return found, m.Offset + at
			}
		}
	}
	return nil, 0
}
