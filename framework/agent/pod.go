package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// startPod starts cmd in a network namespace of its own that hangs on the node. The namespace is ready before the
// program starts, as with a CNI plugin.
func startPod(cmd *exec.Cmd, p PodNet) error {
	if p.Bridge != "" {
		if err := ensureBridge(p); err != nil {
			return err
		}
	}
	return onOwnThread(func() error {
		node, err := netns.Get()
		if err != nil {
			return err
		}
		defer node.Close()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("network namespace: %w", err)
		}
		pod, err := netns.Get()
		if err != nil {
			return err
		}
		defer pod.Close()
		if err := plug(node, pod, p); err != nil {
			return err
		}
		return cmd.Start()
	})
}

// ensureBridge makes the node's pod bridge with its gateway address, as the bridge plugin does for the first pod. One
// that is there already is left as it is: it may be dockerd's.
func ensureBridge(p PodNet) error {
	if _, err := netlink.LinkByName(p.Bridge); err == nil {
		return nil
	}
	gateway, err := netlink.ParseAddr(p.Gateway)
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = p.Bridge, p.MTU
	// A bridge without an address of its own takes that of its lowest port, which changes as pods come and go.
	if attrs.HardwareAddr, err = macOf(gateway.IP); err != nil {
		return err
	}
	link := &netlink.Bridge{LinkAttrs: attrs}
	if err := netlink.LinkAdd(link); err != nil {
		return fmt.Errorf("bridge %s: %w", p.Bridge, err)
	}
	if err := netlink.AddrAdd(link, gateway); err != nil {
		return fmt.Errorf("address of %s: %w", p.Bridge, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("%s up: %w", p.Bridge, err)
	}
	return nil
}

// plug connects the pod's namespace with the node: a veth pair, the pod's address and default route, and then what its
// kind of connection needs.
func plug(node, pod netns.NsHandle, p PodNet) error {
	onNode, err := netlink.NewHandleAt(node)
	if err != nil {
		return err
	}
	defer onNode.Close()
	inPod, err := netlink.NewHandleAt(pod)
	if err != nil {
		return err
	}
	defer inPod.Close()
	address, err := netlink.ParseAddr(p.Address)
	if err != nil {
		return fmt.Errorf("pod address: %w", err)
	}
	if err := addVeth(onNode, pod, p, address.IP); err != nil {
		return err
	}
	if err := withoutIPv6(); err != nil {
		return err
	}
	if err := configurePod(inPod, address); err != nil {
		return err
	}
	host, err := onNode.LinkByName(p.HostLink)
	if err != nil {
		return err
	}
	if p.Bridge != "" {
		return bridge(onNode, inPod, host, p)
	}
	if err := proxyARP(node, pod, p.HostLink); err != nil {
		return err
	}
	return route(onNode, inPod, host, address.IP)
}

func addVeth(onNode *netlink.Handle, pod netns.NsHandle, p PodNet, address net.IP) error {
	// A pod that was stopped a moment ago may still be on its way out.
	if old, err := onNode.LinkByName(p.HostLink); err == nil {
		if err := onNode.LinkDel(old); err != nil {
			return fmt.Errorf("old %s: %w", p.HostLink, err)
		}
	}
	// The pod's link address follows from its IP address, so that the pod made again answers to its peers' ARP caches.
	mac, err := macOf(address)
	if err != nil {
		return err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = p.HostLink, p.MTU
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(pod), PeerMTU: uint32(p.MTU), PeerHardwareAddr: mac}
	if err := onNode.LinkAdd(veth); err != nil {
		return fmt.Errorf("veth %s: %w", p.HostLink, err)
	}
	return nil
}

// withoutIPv6 switches IPv6 off in the calling thread's network namespace, as Docker does for containers without an IPv6
// address. Each pod's multicast groups would take entries of the neighbour table that all namespaces of a machine share.
func withoutIPv6() error {
	for _, conf := range []string{"all", "default"} {
		err := os.WriteFile("/proc/sys/net/ipv6/conf/"+conf+"/disable_ipv6", []byte("1"), 0o644)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a kernel without IPv6
			return err
		}
	}
	return nil
}

func configurePod(inPod *netlink.Handle, address *netlink.Addr) error {
	for _, name := range []string{"lo", "eth0"} {
		link, err := inPod.LinkByName(name)
		if err != nil {
			return fmt.Errorf("pod's %s: %w", name, err)
		}
		if name == "eth0" {
			if err := inPod.AddrAdd(link, address); err != nil {
				return fmt.Errorf("pod's address: %w", err)
			}
		}
		if err := inPod.LinkSetUp(link); err != nil {
			return fmt.Errorf("pod's %s: %w", name, err)
		}
	}
	return nil
}

// bridge makes the host-side interface a port of the pod bridge, in hairpin mode, which flannel's CNI configuration asks
// for.
func bridge(onNode, inPod *netlink.Handle, host netlink.Link, p PodNet) error {
	gateway, err := netlink.ParseAddr(p.Gateway)
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	master, err := onNode.LinkByName(p.Bridge)
	if err != nil {
		return fmt.Errorf("bridge %s: %w", p.Bridge, err)
	}
	if err := onNode.LinkSetMaster(host, master); err != nil {
		return fmt.Errorf("%s into %s: %w", p.HostLink, p.Bridge, err)
	}
	if err := onNode.LinkSetHairpin(host, true); err != nil {
		return fmt.Errorf("hairpin mode of %s: %w", p.HostLink, err)
	}
	if err := onNode.LinkSetUp(host); err != nil {
		return err
	}
	return inPod.RouteAdd(&netlink.Route{Gw: gateway.IP})
}

// routedGateway is every routed pod's next hop, as with Calico. Nobody has the address: the host-side interface answers
// ARP for whatever the pod asks for.
var routedGateway = net.IPv4(169, 254, 1, 1)

// proxyARP makes a host-side interface answer ARP for everything and at once; /proc/sys/net is that of the calling
// thread's namespace, which is pod before and after.
func proxyARP(node, pod netns.NsHandle, link string) error {
	if err := netns.Set(node); err != nil {
		return err
	}
	err := errors.Join(
		os.WriteFile("/proc/sys/net/ipv4/conf/"+link+"/proxy_arp", []byte("1"), 0o644),
		os.WriteFile("/proc/sys/net/ipv4/neigh/"+link+"/proxy_delay", []byte("0"), 0o644),
	)
	return errors.Join(err, netns.Set(pod))
}

// route gives the pod a /32 route on the node, and the node as its way out.
func route(onNode, inPod *netlink.Handle, host netlink.Link, address net.IP) error {
	if err := onNode.LinkSetUp(host); err != nil {
		return err
	}
	err := onNode.RouteAdd(&netlink.Route{
		LinkIndex: host.Attrs().Index, Scope: netlink.SCOPE_LINK, Dst: &net.IPNet{IP: address, Mask: net.CIDRMask(32, 32)},
	})
	if err != nil {
		return fmt.Errorf("route to the pod: %w", err)
	}
	eth0, err := inPod.LinkByName("eth0")
	if err != nil {
		return err
	}
	for _, r := range []*netlink.Route{
		{LinkIndex: eth0.Attrs().Index, Scope: netlink.SCOPE_LINK, Dst: &net.IPNet{IP: routedGateway, Mask: net.CIDRMask(32, 32)}},
		{LinkIndex: eth0.Attrs().Index, Gw: routedGateway},
	} {
		if err := inPod.RouteAdd(r); err != nil {
			return fmt.Errorf("pod's route: %w", err)
		}
	}
	return nil
}

// macOf derives a locally administered link address from an IPv4 address, as Docker and the older bridge plugin do.
func macOf(ip net.IP) (net.HardwareAddr, error) {
	v4 := ip.To4()
	if v4 == nil {
		return nil, fmt.Errorf("%s is not an IPv4 address", ip)
	}
	return append(net.HardwareAddr{0x0a, 0x58}, v4...), nil
}
