package rtnl_test

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/netfault/netfault/framework/internal/rtnl"
	"github.com/netfault/netfault/framework/internal/scratchns"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// What an embedded lab builds on: more externally learned entries than the table may have of others.
func TestExternallyLearnedNeighboursAreNotCounted(t *testing.T) {
	scratchns.Enter(t)
	scratchns.Script(t, "ip link add br0 address 02:00:00:00:00:01 type bridge\nip link set br0 up\nip address add 10.0.0.1/8 dev br0")
	link, err := netlink.LinkByName("br0")
	if err != nil {
		t.Fatal(err)
	}
	table, err := rtnl.ARPTable()
	if err != nil {
		t.Fatal(err)
	}
	if table.Threshold3 < 1 || table.Threshold3 > 20_000 {
		t.Skipf("this machine's table may have %d entries", table.Threshold3)
	}
	number := table.Threshold3 + 100
	address := netip.MustParseAddr("10.1.0.0")
	for i := range number {
		address = address.Next()
		entry := &netlink.Neigh{
			LinkIndex: link.Attrs().Index, Family: unix.AF_INET, State: unix.NUD_STALE, Flags: unix.NTF_EXT_LEARNED,
			IP: address.AsSlice(), HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 2},
		}
		if err := netlink.NeighSet(entry); err != nil {
			t.Fatalf("entry %d of a table of %d: %v", i, table.Threshold3, err)
		}
	}
	scratchns.Run(t, "ip", "neigh", "add", "10.2.0.1", "lladdr", "02:00:00:00:00:02", "nud", "stale", "dev", "br0")
	scratchns.Run(t, "ip", "neigh", "add", "10.2.0.2", "lladdr", "02:00:00:00:00:02", "nud", "permanent", "dev", "br0")
	entries, err := rtnl.Neighbours(unix.AF_INET, 0)
	if err != nil {
		t.Fatal(err)
	}
	var counted []string
	for _, m := range entries {
		a, err := rtnl.Body(m, unix.SizeofNdMsg)
		if err != nil {
			t.Fatal(err)
		}
		if rtnl.Counted(m) && int(rtnl.NdMsg(m).Ifindex) == link.Attrs().Index && rtnl.NdMsg(m).State != unix.NUD_NOARP {
			counted = append(counted, a.Addr(unix.NDA_DST).String())
		}
	}
	if fmt.Sprint(counted) != "[10.2.0.1]" {
		t.Errorf("counted are %v, want 10.2.0.1 alone", counted)
	}
	if table, err = rtnl.ARPTable(); err != nil || table.Entries < number {
		t.Errorf("the table has %d entries, %v; want %d at least", table.Entries, err, number)
	}
}
