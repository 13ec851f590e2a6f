package podsnat

import (
	"net/netip"
	"sync"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/internal/flannel"
)

// network is all nodes together: whom an address belongs to.
type network struct {
	byName map[string]*node
	// leased are the names of the nodes that have an address by their leases, as a VTEP's or as their public IP, "" for one of several.
	leased map[netip.Addr]string
	// local is the same of the nodes' own addresses. It is asked only for an address that no lease knows.
	local func() map[netip.Addr]string
	// tunnel is how flannel's VXLAN links send what they get.
	tunnel *tunnel
}

func newNetwork(b *evidence.Bundle, judged []node, leases []evidence.Lease, vteps []flannel.VTEP) *network {
	net := &network{byName: map[string]*node{}, leased: map[netip.Addr]string{}}
	net.tunnel = newTunnel(b, vteps, net.owner)
	for i := range judged {
		n := &judged[i]
		net.byName[n.name()] = n
		n.astray = sync.OnceValue(func() map[netip.Addr]frame { return net.tunnel.astray(n.name()) })
	}
	for _, l := range leases {
		claim(net.leased, netip.MustParsePrefix(l.PodCIDR).Addr(), l.Node)
		if ip, err := netip.ParseAddr(l.PublicIP); err == nil {
			claim(net.leased, ip, l.Node)
		}
	}
	net.local = sync.OnceValue(func() map[netip.Addr]string {
		all := map[netip.Addr]string{}
		for i := range judged {
			for _, r := range judged[i].paths.query.LocalRoutes {
				if r.Type == "local" && r.Dst.IsSingleIP() {
					claim(all, r.Dst.Addr(), judged[i].name())
				}
			}
		}
		return all
	})
	return net
}

// claim notes that an address is a node's.
func claim(owners map[netip.Addr]string, addr netip.Addr, node string) {
	if other, taken := owners[addr]; taken && other != node {
		node = ""
	}
	owners[addr] = node
}

// owner returns the name of the node that has an address, "" if that is none that is known.
func (net *network) owner(addr netip.Addr) string {
	if owner, known := net.leased[addr]; known {
		return owner
	}
	return net.local()[addr]
}

// next returns the names of the nodes that get what a node sends by a route: that of the gateway's address, or by flannel's link those
// that its neighbour entry and FDB lead to, none if it gets lost. The name is "" if it is not known: a route without a gateway leads to
// where its destination is.
func (net *network) next(n *node, r flannel.Route) []string {
	gateway, err := netip.ParseAddr(r.Gateway)
	if err != nil {
		return []string{""}
	}
	if f, astray := n.frameOf(r); astray {
		return f.nodes
	}
	return []string{net.owner(gateway)}
}

// frameOf returns where the node's flannel link sends what leaves by a route; astray is false if that is where the gateway is.
func (n *node) frameOf(r flannel.Route) (f frame, astray bool) {
	gateway, err := netip.ParseAddr(r.Gateway)
	if err != nil || !flannel.IsLink(r.Dev) {
		return frame{}, false
	}
	f, astray = n.astray()[gateway]
	return f, astray
}
