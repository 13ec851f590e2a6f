package stalevtep

import (
	"context"
	"net/netip"

	"github.com/netfault/netfault/detectors/internal/flannel"
)

// suspectRoutes adds to what is suspected of observer i the peers to whose pods it has no route, though its entries for them are there:
// somebody has deleted the route alone. A default route is none. Whose own link is broken has lost more, and is judged by that. It
// returns false if the routes could not be read.
func (c *comparison) suspectRoutes(ctx context.Context, i int, t *table) bool {
	v := &c.vteps[i]
	if v.State != flannel.LinkUp || v.Drifted() {
		return true
	}
	routed := t.routed
	clear(routed)
	var wider []netip.Prefix
	for r, err := range c.b.RouteDsts(v.Node()) {
		if err != nil {
			return false
		}
		if ctx.Err() != nil {
			return false
		}
		// Policy rules may lead to other tables than main.
		if string(r.Table) == "local" {
			continue
		}
		dst, err := netip.ParsePrefix(string(r.Dst))
		if err != nil {
			continue // that of an address, or the default route
		}
		if p, known := c.byCIDR[dst]; known {
			routed[p] = true
		} else if dst.Bits() > 0 {
			wider = append(wider, dst)
		}
	}
	for _, s := range t.suspects {
		routed[s.peer] = true
	}
	for p := range c.vteps {
		cidr := c.cidrs[p]
		if p == i || routed[c.byCIDR[cidr]] || c.vteps[p].Addr == v.Addr || !t.neighbours[p].resolved() {
			continue
		}
		if !overlapsAny(wider, cidr) {
			t.suspects = append(t.suspects, suspect{peer: int32(p), kind: RouteMissing, neighbour: t.neighbours[p]})
		}
	}
	return true
}

// overlapsAny reports whether a route to some network is to all or a part of cidr.
func overlapsAny(networks []netip.Prefix, cidr netip.Prefix) bool {
	for _, n := range networks {
		if n.Overlaps(cidr) {
			return true
		}
	}
	return false
}

// unjudgedRoutes says, for the end of a text, on which nodes routes are not judged; "" if there are none.
func (c *comparison) unjudgedRoutes() string {
	var nodes []string
	for i := range c.observed {
		if c.observed[i].routesUnread {
			nodes = append(nodes, c.vteps[i].Node())
		}
	}
	if len(nodes) == 0 {
		return ""
	}
	return "; not judged: the routes of " + flannel.Names(nodes)
}
