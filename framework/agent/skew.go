package agent

import (
	"github.com/vishvananda/netlink"

	"github.com/netfault/netfault/framework/tcpskew"
)

// Skew gives eth0 of this network namespace a TCP timestamp clock of its own, which reads first at the first SYN.
func Skew(first uint32) error {
	eth0, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	return tcpskew.Attach(eth0.Attrs().Index, first)
}
