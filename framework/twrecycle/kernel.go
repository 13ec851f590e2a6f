package twrecycle

import "github.com/netfault/netfault/framework/internal/ktype"

// layout is where the running kernel keeps what the programs read from its sockets. The names are those of 5.9 to 6.18.
type layout struct {
	// struct tcp_sock: any socket but those in TIME_WAIT and SYN_RECV
	state, flags, shutdown, owned, net             ktype.Member
	acceptQueue, maxBacklog, synQueue              ktype.Member
	writeSeq, rcvNxt, rcvWup, rcvWnd               ktype.Member
	tsRecent, tsRecentStamp, linger2, srtt, rttvar ktype.Member
	// struct tcp_timewait_sock: what is left of a socket in TIME_WAIT, or of an orphan in FIN_WAIT2
	twSubstate, twRcvNxt, twTSRecent, twTSRecentStamp, twNet ktype.Member
	// struct net: settings of the network namespace
	timestamps, syncookies ktype.Member
}

// readLayout looks the fields up in the type information (BTF) that the kernel carries.
func readLayout() (layout, error) {
	kernel, err := ktype.Kernel()
	if err != nil {
		return layout{}, err
	}
	const (
		csk    = "inet_conn."
		sk     = csk + "icsk_inet.sk."
		common = sk + "__sk_common."
	)
	var l layout
	for _, f := range []struct {
		to           *ktype.Member
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
		if *f.to, err = ktype.LookUp(kernel, f.strct, f.field); err != nil {
			return layout{}, err
		}
	}
	return l, nil
}
