package podsnat

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/internal/flannel"
	"github.com/netfault/netfault/detectors/internal/rules"
	"github.com/netfault/netfault/detectors/iptables"
)

// podPaths is how packets between pods pass a node, by its routes.
type podPaths struct {
	query iptables.Query
	// peers are the leases to which there is a route, and routes those, by the same index.
	peers  []evidence.Lease
	routes []flannel.Route
	// bridge is the interface of the node's own pods, "" if they have several, and own the route to it.
	bridge string
	own    flannel.Route
	// defaultDev is the interface of the default route, "" if there is none.
	defaultDev string
}

// readPaths reads the node's routes. It returns false, with doubts, if no traffic can be judged by them.
func (n *node) readPaths(b *evidence.Bundle, peers []evidence.Lease) bool {
	table, local, err := flannel.ReadRoutes(b, n.name())
	if err != nil {
		n.doubts = append(n.doubts, detectors.Unreadable("", err))
		return false
	}
	file := evidence.NodeFile(n.name(), evidence.RouteFile)
	if len(local) == 0 {
		n.doubt(file, "no route of table local: want the output of ip -j route show table all")
		return false
	}
	n.paths.query.LocalRoutes = local
	if d, ok := table.Default(); ok {
		n.paths.defaultDev = d.Dev
	}

	from := flannel.Sides{}
	own := netip.MustParsePrefix(n.lease.PodCIDR)
	stray, outside := table.PodsOutside(own, peers)
	if outside {
		n.doubts = append(n.doubts, detectors.Line{File: file, At: stray.Pos, Text: fmt.Sprintf(
			"%s (pods outside of %s's pod CIDR %s are not judged)", stray.Text(), n.name(), own)})
	}
	err = table.WaysTo(own, from, false)
	if errors.Is(err, flannel.ErrNoRoute) {
		n.podless = !outside // the bridge and its route come with the first pod
		return false
	}
	if err != nil {
		n.doubt(file, fmt.Sprintf("%s's own pods: %v", n.name(), err))
		return false
	}
	n.paths.query.From = from.List()
	for i := range n.paths.query.From {
		// Packets from the node's own addresses are not forwarded.
		for _, l := range local {
			if own.Overlaps(l.Dst) {
				n.paths.query.From[i].Except = append(n.paths.query.From[i].Except, l.Dst)
			}
		}
	}
	if len(n.paths.query.From) == 1 {
		n.paths.bridge = n.paths.query.From[0].Dev
		n.paths.own, _ = table.Covering(own)
	}

	to := flannel.Sides{}
	for _, p := range peers {
		cidr := netip.MustParsePrefix(p.PodCIDR)
		route, ok := table.Covering(cidr)
		if ok && route.Dst.Bits() == 0 && routesOfItsOwn(p.BackendType) {
			ok = false
		}
		err := fmt.Errorf("%w to %s", flannel.ErrNoRoute, cidr)
		if ok {
			err = table.WaysTo(cidr, to, true)
		}
		if errors.Is(err, flannel.ErrNoRoute) && p.BackendType == "vxlan" {
			// A missing route is another fault, and no reason to leave the rules unjudged: it would lead there.
			route = flannel.Route{Dst: cidr, Dev: table.FlannelLink(p.VNI), Missing: true}
			to.Side(route.Dev).Addrs = append(to.Side(route.Dev).Addrs, cidr)
			err = nil
		}
		if err != nil {
			n.doubt(file, fmt.Sprintf("%s's pods: %v", p.Node, err))
			continue
		}
		n.paths.peers = append(n.paths.peers, p)
		n.paths.routes = append(n.paths.routes, route)
	}
	n.paths.query.To = to.List()
	n.paths.query.Sets = rules.Sets(append(prefixes(peers), own))
	return len(n.paths.peers) > 0
}

// prefixes are the pod networks of leases.
func prefixes(leases []evidence.Lease) []netip.Prefix {
	var all []netip.Prefix
	for _, l := range leases {
		all = append(all, netip.MustParsePrefix(l.PodCIDR))
	}
	return all
}

// routesOfItsOwn reports whether a backend of flannel makes a route for each lease. The others leave it to the cloud, which
// the default route leads to.
func routesOfItsOwn(backend string) bool {
	return slices.Contains([]string{"vxlan", "host-gw", "ipip", "udp", "wireguard"}, backend)
}
