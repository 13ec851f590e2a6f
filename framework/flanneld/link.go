package flanneld

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// vni is flannel's default.
	vni      = 1
	linkName = "flannel.1"
)

// address returns the IPv4 address of an interface.
func address(iface string) (netip.Addr, error) {
	link, err := netlink.LinkByName(iface)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("--iface=%s: %w", iface, err)
	}
	addrs, err := netlink.AddrList(link, netlink.FAMILY_V4)
	if err != nil {
		return netip.Addr{}, err
	}
	if len(addrs) == 0 {
		return netip.Addr{}, fmt.Errorf("--iface=%s has no IPv4 address", iface)
	}
	addr, _ := netip.AddrFromSlice(addrs[0].IP.To4())
	return addr, nil
}

// ensureLink returns flannel.1. One that is there is kept, and with it its address; the address of a new one is the kernel's
// choice.
func ensureLink(iface string, public netip.Addr) (netlink.Link, error) {
	parent, err := netlink.LinkByName(iface)
	if err != nil {
		return nil, err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = linkName
	err = netlink.LinkAdd(&netlink.Vxlan{LinkAttrs: attrs, VxlanId: vni, VtepDevIndex: parent.Attrs().Index, SrcAddr: public.AsSlice()})
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, fmt.Errorf("%s: %w", linkName, err)
	}
	link, err := netlink.LinkByName(linkName)
	if err != nil {
		return nil, err
	}
	// Without this, the kernel never asks user space for a neighbour.
	return link, os.WriteFile("/proc/sys/net/ipv4/neigh/"+linkName+"/app_solicit", []byte("3"), 0o644)
}

// configure gives flannel.1 its address, of which no route follows, and the one route to the whole network.
func configure(link netlink.Link, own, network netip.Prefix) error {
	addr, err := netlink.ParseAddr(netip.PrefixFrom(own.Addr(), 32).String())
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(link, addr); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("%s: %s: %w", linkName, addr, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("%s up: %w", linkName, err)
	}
	route := netlink.Route{
		LinkIndex: link.Attrs().Index, Scope: netlink.SCOPE_UNIVERSE,
		Dst: &net.IPNet{IP: network.Masked().Addr().AsSlice(), Mask: net.CIDRMask(network.Bits(), 32)},
	}
	if err := netlink.RouteAdd(&route); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("route to %s: %w", network, err)
	}
	return nil
}
