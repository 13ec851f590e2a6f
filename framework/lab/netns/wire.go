package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	vnetns "github.com/vishvananda/netns"
)

// underlayMTU is that of the machines' eth0; flannel subtracts VXLAN's 50 bytes.
const underlayMTU = 1500

// wire connects the machines with the switch and sets them up as kubelet and a router would.
func (l *Lab) wire() error {
	bridge, err := l.makeBridge()
	if err != nil {
		return err
	}
	host := l.outside.Machine.(*place)
	if err := l.plug(bridge, host, "host", l.outsideAddress()); err != nil {
		return err
	}
	for _, n := range l.nodes {
		if err := l.plug(bridge, n.place, n.name, n.address()); err != nil {
			return err
		}
		if err := n.prepare(l.outsideAddress()); err != nil {
			return err
		}
	}
	return l.introduce()
}

func (l *Lab) makeBridge() (netlink.Link, error) {
	var bridge netlink.Link
	err := l.switch_.do(func() error {
		if err := writeSysctls(map[string]string{"net/ipv6/conf/all/disable_ipv6": "1", "net/ipv6/conf/default/disable_ipv6": "1"}); err != nil {
			return err
		}
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = "underlay", underlayMTU
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
			return fmt.Errorf("bridge: %w", err)
		}
		var err error
		if bridge, err = netlink.LinkByName("underlay"); err != nil {
			return err
		}
		return netlink.LinkSetUp(bridge)
	})
	return bridge, err
}

// plug connects a machine with the underlay by its eth0.
func (l *Lab) plug(bridge netlink.Link, p *place, port string, address netip.Addr) error {
	target, err := vnetns.GetFromPath(p.net + "/ns/net")
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	defer target.Close()
	err = l.switch_.do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU, attrs.MasterIndex = port, underlayMTU, bridge.Attrs().Index
		veth := &netlink.Veth{
			LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(target), PeerMTU: underlayMTU,
			PeerHardwareAddr: underlayMAC(address),
		}
		if err := netlink.LinkAdd(veth); err != nil {
			return fmt.Errorf("%s: eth0: %w", p.name, err)
		}
		link, err := netlink.LinkByName(port)
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(link)
	})
	if err != nil {
		return err
	}
	return p.do(func() error {
		if err := writeSysctls(map[string]string{"net/ipv6/conf/all/disable_ipv6": "1", "net/ipv6/conf/default/disable_ipv6": "1"}); err != nil {
			return err
		}
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		addr, err := netlink.ParseAddr(withBits(address, l.site.Underlay.Bits()))
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(link, addr); err != nil {
			return fmt.Errorf("%s: address: %w", p.name, err)
		}
		return netlink.LinkSetUp(link)
	})
}

// prepare sets what kubelet and kube-proxy set on a node, and its way out over the gateway.
func (n *node) prepare(gateway netip.Addr) error {
	return n.do(func() error {
		err := writeSysctls(map[string]string{
			"net/ipv4/ip_forward":                "1",
			"net/bridge/bridge-nf-call-iptables": "1",
			"net/ipv4/conf/all/route_localnet":   "1",
			"net/ipv4/conf/default/rp_filter":    "0",
			"net/ipv4/conf/all/rp_filter":        "0",
		})
		if err != nil {
			return err
		}
		if err := netlink.RouteAdd(&netlink.Route{Gw: gateway.AsSlice()}); err != nil {
			return fmt.Errorf("%s: default route: %w", n.name, err)
		}
		return nil
	})
}

// writeSysctls sets keys of the calling thread's network namespace.
func writeSysctls(values map[string]string) error {
	for key, value := range values {
		err := os.WriteFile("/proc/sys/"+key, []byte(value), 0o644)
		if errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(key, "net/bridge/") {
			return fmt.Errorf("%w: bridge netfilter is not loaded; on the machine itself, also where this is a container, run: modprobe br_netfilter", err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
