package flannel

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"sort"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/iptables"
)

// Route is a route of one table.
type Route struct {
	Dst     netip.Prefix
	Dev     string
	Gateway string
	Metric  int
	// Unicast says that packets leave by it; others drop or refuse them.
	Unicast bool
	// Missing says that flannel would have made it.
	Missing bool
	// Pos is its place in the node's ip-route.json.
	Pos evidence.Pos
}

// Text writes the route as `ip route` does.
func (r Route) Text() string {
	if r.Missing {
		return fmt.Sprintf("no route to %s: judged as if it were by %s", r.Dst, r.Dev)
	}
	text := r.Dst.String()
	if r.Dst.Bits() == 0 {
		text = "default"
	}
	if r.Gateway != "" {
		text += " via " + r.Gateway
	}
	return detectors.OneLine(text + " dev " + r.Dev)
}

// interfaceName is what can stand in a rule and on a command line. A multipath route has none in `ip -j route`'s first level.
var interfaceName = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_.@-]{0,14}$`)

// RouteTable finds routes of one table.
type RouteTable struct {
	// sorted holds them by address, then by length.
	sorted []Route
	exact  map[netip.Prefix]Route
	// Others are the tables to which only policy rules lead, by name; of table main alone.
	Others map[string]*RouteTable
}

// add keeps a route, of several with one destination the first with the lowest metric.
func (t *RouteTable) add(r Route) {
	if old, ok := t.exact[r.Dst]; !ok || r.Metric < old.Metric {
		t.exact[r.Dst] = r
	}
}

// sort makes the routes ready to be looked up.
func (t *RouteTable) sort() {
	t.sorted = slices.SortedFunc(maps.Values(t.exact), func(a, b Route) int {
		return cmp.Or(a.Dst.Addr().Compare(b.Dst.Addr()), a.Dst.Bits()-b.Dst.Bits())
	})
}

// ReadRoutes returns the IPv4 routes of table main, with those of other tables, and of table local.
func ReadRoutes(b *evidence.Bundle, node string) (*RouteTable, []iptables.LocalRoute, error) {
	return readRoutes(b, node, false)
}

// Routes returns the routes of table main of v's node, of v's family.
func (v *VTEP) Routes(b *evidence.Bundle) (*RouteTable, error) {
	t, _, err := readRoutes(b, v.Node(), v.IPv6())
	return t, err
}

func readRoutes(b *evidence.Bundle, node string, ipv6 bool) (*RouteTable, []iptables.LocalRoute, error) {
	t := &RouteTable{exact: map[netip.Prefix]Route{}, Others: map[string]*RouteTable{}}
	var local []iptables.LocalRoute
	for r, err := range b.Routes(node) {
		if err != nil {
			return nil, nil, err
		}
		dst, isIPv4 := routeDst(r.Dst)
		if r.IPv6 && r.Dst == "default" {
			dst, isIPv4 = netip.PrefixFrom(netip.IPv6Unspecified(), 0), false
		}
		if !dst.IsValid() || isIPv4 == ipv6 || r.IPv6 != ipv6 {
			continue
		}
		route := Route{
			Dst: dst, Dev: r.Dev, Gateway: r.Gateway, Metric: r.Metric, Pos: r.Pos, Unicast: r.IsUnicast(),
		}
		switch r.Table {
		case "local":
			local = append(local, iptables.LocalRoute{Dst: dst, Type: cmp.Or(r.Type, "unicast"), Dev: r.Dev})
		case "", "main":
			t.add(route)
		default:
			if t.Others[r.Table] == nil {
				t.Others[r.Table] = &RouteTable{exact: map[netip.Prefix]Route{}}
			}
			t.Others[r.Table].add(route)
		}
	}
	t.sort()
	for _, other := range t.Others {
		other.sort()
	}
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

// Default returns the default route.
func (t *RouteTable) Default() (Route, bool) {
	r, ok := t.exact[netip.PrefixFrom(netip.IPv4Unspecified(), 0)]
	return r, ok
}

// ErrNoRoute says that no packets to a network leave: there is no route, or one that drops or refuses them.
var ErrNoRoute = errors.New("no route")

// Has reports whether there is a route to exactly cidr, of whatever type.
func (t *RouteTable) Has(cidr netip.Prefix) bool {
	_, ok := t.exact[cidr]
	return ok
}

// Covering returns the longest route that holds all of cidr.
func (t *RouteTable) Covering(cidr netip.Prefix) (Route, bool) {
	for bits := cidr.Bits(); bits >= 0; bits-- {
		p, _ := cidr.Addr().Prefix(bits)
		if r, ok := t.exact[p]; ok {
			return r, true
		}
	}
	return Route{}, false
}

// podInterface is the name of an interface that CNI plugins give to pods, or to the bridge or router that pods hang on.
var podInterface = regexp.MustCompile(`^(cali|lxc|veth)|^(cni0|cbr0|cilium_host|kube-bridge)$`)

// PodsOutside returns a route to pods of this node that are neither in its pod CIDR nor in that of another, as Calico's and
// Cilium's own address management has them.
func (t *RouteTable) PodsOutside(own netip.Prefix, peers []evidence.Lease) (Route, bool) {
	for _, r := range t.sorted {
		holds := func(p evidence.Lease) bool { return netip.MustParsePrefix(p.PodCIDR).Overlaps(r.Dst) }
		if r.Unicast && r.Gateway == "" && podInterface.MatchString(r.Dev) && !own.Overlaps(r.Dst) && !slices.ContainsFunc(peers, holds) {
			return r, true
		}
	}
	return Route{}, false
}

// FlannelLink returns the name of flannel's link for a VNI, or for 0, where a lease does not say it, the one that routes have.
func (t *RouteTable) FlannelLink(vni int) string {
	for _, r := range t.sorted {
		if vni == 0 && IsLink(r.Dev) {
			return r.Dev
		}
	}
	return fmt.Sprintf("%s%d", linkPrefix, max(1, vni))
}

// within returns the routes to parts of cidr.
func (t *RouteTable) within(cidr netip.Prefix) []Route {
	i := sort.Search(len(t.sorted), func(i int) bool { return t.sorted[i].Dst.Addr().Compare(cidr.Addr()) >= 0 })
	var parts []Route
	for ; i < len(t.sorted) && cidr.Contains(t.sorted[i].Dst.Addr()); i++ {
		if t.sorted[i].Dst.Bits() > cidr.Bits() {
			parts = append(parts, t.sorted[i])
		}
	}
	return parts
}

// Ways returns the routes that packets to cidr may take: those to parts of it, and the longest that holds all of it.
func (t *RouteTable) Ways(cidr netip.Prefix) []Route {
	ways := t.within(cidr)
	if whole, ok := t.Covering(cidr); ok {
		ways = append(ways, whole)
	}
	return ways
}

// WaysTo adds to s by which interfaces packets to cidr go out: those of the longest route that holds all of it, and of
// routes to parts of it. Only with wider, the route may be to more than cidr.
func (t *RouteTable) WaysTo(cidr netip.Prefix, s Sides, wider bool) error {
	parts := t.within(cidr)
	for i := 1; i < len(parts); i++ {
		if parts[i-1].Dst.Contains(parts[i].Dst.Addr()) {
			return fmt.Errorf("routes to parts of parts of %s are not understood: %s", cidr, parts[i].Text())
		}
	}
	whole, covered := t.Covering(cidr)
	for _, r := range t.Ways(cidr) {
		if r.Unicast && !interfaceName.MatchString(r.Dev) {
			return fmt.Errorf("the route %s has the interface %q", r.Dst, r.Dev)
		}
	}
	byWhole := covered && whole.Unicast && (wider || whole.Dst.Bits() == cidr.Bits())
	found := byWhole
	if byWhole {
		s.Side(whole.Dev).Addrs = append(s.Side(whole.Dev).Addrs, cidr)
	}
	for _, p := range parts {
		if byWhole && p.Unicast && p.Dev == whole.Dev {
			continue
		}
		if byWhole {
			s.Side(whole.Dev).Except = append(s.Side(whole.Dev).Except, p.Dst)
		}
		if p.Unicast {
			s.Side(p.Dev).Addrs = append(s.Side(p.Dev).Addrs, p.Dst)
			found = true
		}
	}
	if !found {
		return fmt.Errorf("%w to %s", ErrNoRoute, cidr)
	}
	return nil
}

// Sides collects addresses by interface.
type Sides map[string]*iptables.Side

func (s Sides) Side(dev string) *iptables.Side {
	if s[dev] == nil {
		s[dev] = &iptables.Side{Dev: dev}
	}
	return s[dev]
}

// List returns the sides by the names of their interfaces.
func (s Sides) List() []iptables.Side {
	var all []iptables.Side
	for _, dev := range slices.Sorted(maps.Keys(s)) {
		all = append(all, *s[dev])
	}
	return all
}
