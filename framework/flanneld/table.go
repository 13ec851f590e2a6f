package flanneld

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// table is what is known of the other nodes: their leases, and flannel.1's forwarding rows, which follow from them.
type table struct {
	// link is flannel.1's number.
	link   int
	own    netip.Prefix
	leases map[netip.Prefix]lease
}

// load takes over the leases that there are. Rows that are right are kept and others removed, and nothing else is: neighbours
// stay as they are.
func (t *table) load(ctx context.Context, s store) (index uint64, err error) {
	leases, index, err := s.list(ctx)
	if err != nil {
		return 0, err
	}
	rows, err := netlink.NeighList(t.link, unix.AF_BRIDGE)
	if err != nil {
		return 0, fmt.Errorf("list the forwarding rows: %w", err)
	}
	for subnet, l := range leases {
		if t.follows(subnet, l) {
			t.leases[subnet] = l
		}
	}
	for _, row := range rows {
		if row.IP != nil && !t.wanted(row) {
			if err := t.forward(row.HardwareAddr, row.IP, false); err != nil {
				log.Print(err)
			}
		}
	}
	for _, l := range t.leases {
		t.addRow(l)
	}
	return index, nil
}

// follows reports whether a lease is another node's, and of this backend; a reservation that was never taken is of none.
func (t *table) follows(subnet netip.Prefix, l lease) bool {
	return subnet != t.own && l.BackendType == "vxlan"
}

// wanted reports whether a row is that of a lease.
func (t *table) wanted(row netlink.Neigh) bool {
	for _, l := range t.leases {
		if l.PublicIP.String() == row.IP.String() && l.BackendData.VtepMAC == row.HardwareAddr.String() {
			return true
		}
	}
	return false
}

// apply follows a change. The row of a lease's old link address stays, and so does every neighbour.
func (t *table) apply(c change) {
	switch old, known := t.leases[c.subnet]; {
	case c.gone && known:
		delete(t.leases, c.subnet)
		if mac, err := net.ParseMAC(old.BackendData.VtepMAC); err == nil {
			if err := t.forward(mac, old.PublicIP.AsSlice(), false); err != nil {
				log.Print(err)
			}
		}
	case !c.gone && t.follows(c.subnet, c.lease):
		t.leases[c.subnet] = c.lease
		t.addRow(c.lease)
	}
}

func (t *table) addRow(l lease) {
	mac, err := net.ParseMAC(l.BackendData.VtepMAC)
	if err == nil {
		err = t.forward(mac, l.PublicIP.AsSlice(), true)
	}
	if err != nil && !errors.Is(err, unix.EEXIST) {
		log.Print(err)
	}
}

// forward adds or removes the row that sends frames for a link address to a node.
func (t *table) forward(mac net.HardwareAddr, to net.IP, add bool) error {
	change, what := netlink.NeighDel, "remove"
	if add {
		change, what = netlink.NeighAdd, "add"
	}
	err := change(&netlink.Neigh{
		LinkIndex: t.link, Family: unix.AF_BRIDGE, Flags: netlink.NTF_SELF, State: netlink.NUD_PERMANENT, IP: to, HardwareAddr: mac,
	})
	if err != nil {
		return fmt.Errorf("%s the row %s dst %s: %w", what, mac, to, err)
	}
	return nil
}

// answer tells the kernel the link address of the node whose subnet addr is in.
func (t *table) answer(addr netip.Addr) {
	for subnet, l := range t.leases {
		if !subnet.Contains(addr) {
			continue
		}
		mac, err := net.ParseMAC(l.BackendData.VtepMAC)
		if err == nil {
			err = netlink.NeighSet(&netlink.Neigh{LinkIndex: t.link, State: netlink.NUD_REACHABLE, IP: addr.AsSlice(), HardwareAddr: mac})
		}
		if err != nil {
			log.Printf("answer for %s: %v", addr, err)
		}
		return
	}
	log.Printf("no lease has %s", addr)
}
