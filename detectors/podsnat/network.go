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
	// local is the same of the nodes' own addresses. It is asked only for a gateway that no lease knows.
	local func() map[netip.Addr]string
}

func newNetwork(judged []node, leases []evidence.Lease) *network {
	net := &network{byName: map[string]*node{}, leased: map[netip.Addr]string{}}
	for i := range judged {
		net.byName[judged[i].name()] = &judged[i]
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

// next returns the name of the node that a route leads to, "" if that is none that is known: a route without a gateway leads to
// where its destination is.
func (net *network) next(r flannel.Route) string {
	gateway, err := netip.ParseAddr(r.Gateway)
	if err != nil {
		return ""
	}
	if owner, known := net.leased[gateway]; known {
		return owner
	}
	return net.local()[gateway]
}
