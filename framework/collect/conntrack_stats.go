package collect

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/netfault/netfault/framework/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// ctGetStatsCPU is IPCTNL_MSG_CT_GET_STATS_CPU (linux/netfilter/nfnetlink_conntrack.h), which package nl lacks.
const ctGetStatsCPU = 4

// ctStats are the counters of one CPU by their attribute (enum ctattr_stats_cpu), with the names that conntrack(8) has.
var ctStats = []string{"", "searched", "found", "new", "invalid", "ignore", "delete", "delete_list", "insert", "insert_failed",
	"drop", "early_drop", "error", "search_restart", "clash_resolve", "chaintoolong"}

// conntrackStats writes conntrack-stats.txt as `conntrack -S` prints it: a line for each CPU.
func conntrackStats(w io.Writer) error {
	const message = unix.NFNL_SUBSYS_CTNETLINK<<8 | ctGetStatsCPU
	msgs, err := rtnl.Dump(unix.NETLINK_NETFILTER, message, message, &nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC, Version: nl.NFNETLINK_V0})
	if err != nil {
		return fmt.Errorf("read counters of connection tracking: %w", err)
	}
	out := bufio.NewWriter(w)
	for _, m := range msgs {
		a, err := rtnl.Body(m, nl.SizeofNfgenmsg)
		if err != nil {
			return fmt.Errorf("read counters of connection tracking: %w", err)
		}
		// The field that is a group's number elsewhere has the CPU's here.
		fmt.Fprintf(out, "cpu=%-4d\t", binary.BigEndian.Uint16(m[2:]))
		for attr, name := range ctStats {
			if name != "" && a.Has(uint16(attr)) {
				fmt.Fprintf(out, "%s=%d ", name, a.Uint32BE(uint16(attr)))
			}
		}
		fmt.Fprintln(out)
	}
	return out.Flush()
}
