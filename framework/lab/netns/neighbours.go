package netns

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// underlayMAC is the link address of the eth0 that has the address on the underlay.
func underlayMAC(a netip.Addr) net.HardwareAddr {
	b := a.As4()
	return append(net.HardwareAddr{0x02, 0x42}, b[:]...)
}

// introduce gives every machine an entry for every other one, as if the two had talked before. The kernel keeps one
// neighbour table for the whole computer, and of entries that it learnt by itself no more than net.ipv4.neigh.default.gc_thresh3
// in all network namespaces together; the pairs of machines alone would fill that at 30 nodes. Entries that came from outside
// the kernel (NTF_EXT_LEARNED, since Linux 5.0: net/core/neighbour.c, neigh_alloc) are not counted. In all else they are as
// others: STALE, so that ARP confirms them at their first use, changes them and lets them fail.
func (l *Lab) introduce() error {
	machines := map[*place]netip.Addr{l.outside.Machine.(*place): l.outsideAddress()}
	for _, n := range l.nodes {
		machines[n.place] = n.address()
	}
	for p := range machines {
		err := p.do(func() error {
			link, err := netlink.LinkByName("eth0")
			if err != nil {
				return err
			}
			for other, address := range machines {
				if other == p {
					continue
				}
				entry := &netlink.Neigh{
					LinkIndex: link.Attrs().Index, Family: unix.AF_INET, State: unix.NUD_STALE, Flags: unix.NTF_EXT_LEARNED,
					IP: address.AsSlice(), HardwareAddr: underlayMAC(address),
				}
				if err := netlink.NeighSet(entry); err != nil {
					return fmt.Errorf("neighbour %s: %w", address, err)
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}
