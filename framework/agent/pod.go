package agent

import (
	"fmt"
	"net"
	"os/exec"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// startPod starts cmd in a network namespace of its own that hangs on the node's pod bridge. The namespace is ready
// before the program starts, as with a CNI plugin.
func startPod(cmd *exec.Cmd, p PodNet) error {
	bridge, err := ensureBridge(p)
	if err != nil {
		return err
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
		if err := plug(node, pod, bridge, p); err != nil {
			return err
		}
		return cmd.Start()
	})
}

// ensureBridge makes the node's pod bridge with its gateway address, as the bridge plugin does for the first pod.
func ensureBridge(p PodNet) (netlink.Link, error) {
	gateway, err := netlink.ParseAddr(p.Gateway)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	link, err := netlink.LinkByName(p.Bridge)
	if err != nil {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = p.Bridge, p.MTU
		// A bridge without an address of its own takes that of its lowest port, which changes as pods come and go.
		if attrs.HardwareAddr, err = macOf(gateway.IP); err != nil {
			return nil, err
		}
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
			return nil, fmt.Errorf("bridge %s: %w", p.Bridge, err)
		}
		if link, err = netlink.LinkByName(p.Bridge); err != nil {
			return nil, fmt.Errorf("bridge %s: %w", p.Bridge, err)
		}
	}
	if err := netlink.AddrReplace(link, gateway); err != nil {
		return nil, fmt.Errorf("address of %s: %w", p.Bridge, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return nil, fmt.Errorf("%s up: %w", p.Bridge, err)
	}
	return link, nil
}

// plug connects the pod's namespace with the bridge: a veth pair, the pod's address, its default route, and hairpin
// mode, which flannel's CNI configuration asks for.
func plug(node, pod netns.NsHandle, bridge netlink.Link, p PodNet) error {
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
	gateway, err := netlink.ParseAddr(p.Gateway)
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	// A pod that was stopped a moment ago may still be on its way out.
	if old, err := onNode.LinkByName(p.HostLink); err == nil {
		if err := onNode.LinkDel(old); err != nil {
			return fmt.Errorf("old %s: %w", p.HostLink, err)
		}
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.MasterIndex = p.HostLink, p.MTU, bridge.Attrs().Index
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(pod), PeerMTU: uint32(p.MTU)}
	// The pod's link address follows from its IP address, so that the pod made again answers to its peers' ARP caches.
	if veth.PeerHardwareAddr, err = macOf(address.IP); err != nil {
		return err
	}
	if err := onNode.LinkAdd(veth); err != nil {
		return fmt.Errorf("veth %s: %w", p.HostLink, err)
	}
	host, err := onNode.LinkByName(p.HostLink)
	if err != nil {
		return err
	}
	if err := onNode.LinkSetHairpin(host, true); err != nil {
		return fmt.Errorf("hairpin mode of %s: %w", p.HostLink, err)
	}
	if err := onNode.LinkSetUp(host); err != nil {
		return err
	}
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
	return inPod.RouteAdd(&netlink.Route{Gw: gateway.IP})
}

// macOf derives a locally administered link address from an IPv4 address, as Docker and the older bridge plugin do.
func macOf(ip net.IP) (net.HardwareAddr, error) {
	v4 := ip.To4()
	if v4 == nil {
		return nil, fmt.Errorf("%s is not an IPv4 address", ip)
	}
	return append(net.HardwareAddr{0x0a, 0x58}, v4...), nil
}
