package detectors

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/iptables"
)

// podPaths is how packets between pods pass a node, by its routes.
type podPaths struct {
	query iptables.Query
	// peers are the leases to which there is a route, and routes those, by the same index.
	peers  []evidence.Lease
	routes []nodeRoute
	// bridge is the interface of the node's own pods, "" if they have several.
	bridge string
	// defaultDev is the interface of the default route, "" if there is none.
	defaultDev string
}

// nodeRoute is a route of table main.
type nodeRoute struct {
	dst     netip.Prefix
	dev     string
	gateway string
	metric  int
	unicast bool
	// missing says that flannel would have made it.
	missing bool
}

// text writes the route as `ip route` does.
func (r nodeRoute) text() string {
	if r.missing {
		return fmt.Sprintf("no route to %s: judged as if it were by %s", r.dst, r.dev)
	}
	text := r.dst.String()
	if r.gateway != "" {
		text += " via " + r.gateway
	}
	return oneLine(text + " dev " + r.dev)
}

// readPaths reads the node's routes. It returns false, with doubts, if no traffic can be judged by them.
func (n *snatNode) readPaths(b *evidence.Bundle, peers []evidence.Lease) bool {
	table, local, err := readRouteTable(b, n.name())
	if err != nil {
		n.doubts = append(n.doubts, unusable("", err))
		return false
	}
	file := evidence.NodeFile(n.name(), evidence.RouteFile)
	if len(local) == 0 {
		n.doubt(file, "no route of table local: want the output of ip -j route show table all")
		return false
	}
	n.paths.query.LocalRoutes = local
	if d, ok := table.exact[netip.PrefixFrom(netip.IPv4Unspecified(), 0)]; ok {
		n.paths.defaultDev = d.dev
	}

	from := sides{}
	own := netip.MustParsePrefix(n.lease.PodCIDR)
	if err := table.waysTo(own, from, false); err != nil {
		n.doubt(file, fmt.Sprintf("%s's own pods: %v", n.name(), err))
		return false
	}
	n.paths.query.From = from.list()
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
	}

	to := sides{}
	for _, p := range peers {
		cidr := netip.MustParsePrefix(p.PodCIDR)
		route, ok := table.covering(cidr)
		if ok && route.dst.Bits() == 0 && routesOfItsOwn(p.BackendType) {
			ok = false
		}
		switch {
		case ok:
			err = table.waysTo(cidr, to, true)
		case p.BackendType == "vxlan":
			// A missing route is another fault, and no reason to leave the rules unjudged: it would lead there.
			route = nodeRoute{dst: cidr, dev: fmt.Sprintf("flannel.%d", p.VNI), missing: true}
			to.side(route.dev).Addrs = append(to.side(route.dev).Addrs, cidr)
			err = nil
		default:
			err = fmt.Errorf("no route to %s", cidr)
		}
		if err != nil {
			n.doubt(file, fmt.Sprintf("%s's pods: %v", p.Node, err))
			continue
		}
		n.paths.peers = append(n.paths.peers, p)
		n.paths.routes = append(n.paths.routes, route)
	}
	n.paths.query.To = to.list()
	return len(n.paths.peers) > 0
}

// interfaceName is what can stand in a rule and on a command line. A multipath route has none in `ip -j route`'s first level.
var interfaceName = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_.@-]{0,14}$`)

// routesOfItsOwn reports whether a backend of flannel makes a route for each lease. The others leave it to the cloud, which
// the default route leads to.
func routesOfItsOwn(backend string) bool {
	return slices.Contains([]string{"vxlan", "host-gw", "ipip", "udp", "wireguard"}, backend)
}

// routeTable finds routes of table main.
type routeTable struct {
	// sorted holds them by address, then by length.
	sorted []nodeRoute
	exact  map[netip.Prefix]nodeRoute
}

// readRouteTable returns the IPv4 routes of tables main and local.
func readRouteTable(b *evidence.Bundle, node string) (*routeTable, []iptables.LocalRoute, error) {
	t := &routeTable{exact: map[netip.Prefix]nodeRoute{}}
	var local []iptables.LocalRoute
	for r, err := range b.Routes(node) {
		if err != nil {
			return nil, nil, err
		}
		dst, ok := routeDst(r.Dst)
		if !ok || strings.Contains(r.Gateway, ":") {
			continue // IPv6
		}
		switch r.Table {
		case "local":
			local = append(local, iptables.LocalRoute{Dst: dst, Type: cmp.Or(r.Type, "unicast"), Dev: r.Dev})
		case "", "main":
			n := nodeRoute{dst: dst, dev: r.Dev, gateway: r.Gateway, metric: r.Metric, unicast: r.Type == "" || r.Type == "unicast"}
			if old, ok := t.exact[dst]; !ok || n.metric < old.metric {
				t.exact[dst] = n
			}
		}
	}
	for _, r := range t.exact {
		t.sorted = append(t.sorted, r)
	}
	slices.SortFunc(t.sorted, func(a, b nodeRoute) int {
		return cmp.Or(a.dst.Addr().Compare(b.dst.Addr()), a.dst.Bits()-b.dst.Bits())
	})
	return t, local, nil
}

// routeDst reads the destination of a route as `ip` writes it; ok is false for IPv6.
func routeDst(s string) (p netip.Prefix, ok bool) {
	if s == "default" {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return p, false
		}
		p = netip.PrefixFrom(addr, addr.BitLen())
	}
	return p.Masked(), p.Addr().Is4()
}

// covering returns the longest route that holds all of cidr.
func (t *routeTable) covering(cidr netip.Prefix) (nodeRoute, bool) {
	for bits := cidr.Bits(); bits >= 0; bits-- {
		p, _ := cidr.Addr().Prefix(bits)
		if r, ok := t.exact[p]; ok {
			return r, true
		}
	}
	return nodeRoute{}, false
}

// within returns the routes to parts of cidr.
func (t *routeTable) within(cidr netip.Prefix) []nodeRoute {
	i := sort.Search(len(t.sorted), func(i int) bool { return t.sorted[i].dst.Addr().Compare(cidr.Addr()) >= 0 })
	var parts []nodeRoute
	for ; i < len(t.sorted) && cidr.Contains(t.sorted[i].dst.Addr()); i++ {
		if t.sorted[i].dst.Bits() > cidr.Bits() {
			parts = append(parts, t.sorted[i])
		}
	}
	return parts
}

// waysTo adds to s by which interfaces packets to cidr go out: those of the longest route that holds all of it, and of
// routes to parts of it. Only with wider, the route may be to more than cidr.
func (t *routeTable) waysTo(cidr netip.Prefix, s sides, wider bool) error {
	parts := t.within(cidr)
	for i := 1; i < len(parts); i++ {
		if parts[i-1].dst.Contains(parts[i].dst.Addr()) {
			return fmt.Errorf("routes to parts of parts of %s are not understood: %s", cidr, parts[i].text())
		}
	}
	whole, covered := t.covering(cidr)
	used := parts
	if covered {
		used = append(slices.Clone(parts), whole)
	}
	for _, r := range used {
		if r.unicast && !interfaceName.MatchString(r.dev) {
			return fmt.Errorf("the route %s has the interface %q", r.dst, r.dev)
		}
	}
	byWhole := covered && whole.unicast && (wider || whole.dst.Bits() == cidr.Bits())
	found := byWhole
	if byWhole {
		s.side(whole.dev).Addrs = append(s.side(whole.dev).Addrs, cidr)
	}
	for _, p := range parts {
		if byWhole && p.unicast && p.dev == whole.dev {
			continue
		}
		if byWhole {
			s.side(whole.dev).Except = append(s.side(whole.dev).Except, p.dst)
		}
		if p.unicast {
			s.side(p.dev).Addrs = append(s.side(p.dev).Addrs, p.dst)
			found = true
		}
	}
	if !found {
		return fmt.Errorf("no route to %s", cidr)
	}
	return nil
}

// sides collects addresses by interface.
type sides map[string]*iptables.Side

func (s sides) side(dev string) *iptables.Side {
	if s[dev] == nil {
		s[dev] = &iptables.Side{Dev: dev}
	}
	return s[dev]
}

// list returns the sides that have addresses, by the names of their interfaces.
func (s sides) list() []iptables.Side {
	var all []iptables.Side
	for _, dev := range slices.Sorted(maps.Keys(s)) {
		if len(s[dev].Addrs) > 0 {
			all = append(all, *s[dev])
		}
	}
	return all
}
