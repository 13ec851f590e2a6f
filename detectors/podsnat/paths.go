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
	// query are the packets that the node's pods send to others.
	query iptables.Query
	// table has the node's routes, nil if they could not be read.
	table *flannel.RouteTable
	// peers are the leases to which there is a route, and routes those, by the same index.
	peers  []evidence.Lease
	routes []flannel.Route
	// bridge is the interface of the node's own pods, "" if they have several, and own the route to it.
	bridge string
	own    flannel.Route
	// defaultDev is the interface of the default route, "" if there is none.
	defaultDev string
}

// arriving are the packets that come to the node's pods from those of others: by the interface that the routes have for the way back.
func (p *podPaths) arriving() iptables.Query {
	q := p.query
	q.From, q.To = p.query.To, p.query.From
	return q
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
	own := netip.MustParsePrefix(n.lease.PodCIDR)
	n.paths.table, n.paths.query.LocalRoutes = table, local
	n.paths.query.Sets = rules.Sets(append(prefixes(peers), own))
	if d, ok := table.Default(); ok {
		n.paths.defaultDev = d.Dev
	}

	from := flannel.Sides{}
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
		route, err := n.wayTo(p, netip.MustParsePrefix(p.PodCIDR), to)
		if err != nil {
			n.doubt(file, fmt.Sprintf("%s's pods: %v", p.Node, err))
			continue
		}
		n.paths.peers = append(n.paths.peers, p)
		n.paths.routes = append(n.paths.routes, route)
	}
	n.paths.query.To = to.List()
	n.doubtPolicy(b)
	return true
}

// wayTo adds to s by which interfaces packets to cidr, a peer's pods or some of them, leave the node, and returns the route to most.
func (n *node) wayTo(p evidence.Lease, cidr netip.Prefix, s flannel.Sides) (flannel.Route, error) {
	table := n.paths.table
	route, ok := table.Covering(cidr)
	if ok && leadsAway(route, p) {
		ok = false
	}
	err := fmt.Errorf("%w to %s", flannel.ErrNoRoute, cidr)
	if ok {
		err = table.WaysTo(cidr, s, true)
	}
	if errors.Is(err, flannel.ErrNoRoute) && p.BackendType == "vxlan" {
		// A missing route is another fault, and no reason to leave the rules unjudged: it would lead there.
		route = flannel.Route{Dst: cidr, Dev: table.FlannelLink(p.VNI), Missing: true}
		s.Side(route.Dev).Addrs = append(s.Side(route.Dev).Addrs, cidr)
		err = nil
	}
	return route, err
}

// leadsAway reports whether a route is the default one, and not for a peer's pods.
func leadsAway(r flannel.Route, p evidence.Lease) bool {
	return r.Dst.Bits() == 0 && routesOfItsOwn(p.BackendType)
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
