package stalearp

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/internal/flannel"
)

// comparison holds every VTEP, and what each observer has for the addresses of the others' subnets.
type comparison struct {
	b            *evidence.Bundle
	vteps        []flannel.VTEP
	subnets      []subnet
	observations []observation
}

// subnet is that of a VTEP's lease, from its first address to its last.
type subnet struct {
	first, last evidence.IPv4
	vtep        int
}

// observation is what was found on one observer.
type observation struct {
	vtep *flannel.VTEP
	// judged counts the entries that were looked at and are right, or are none of this detector's.
	judged int
	stale  []staleFor
	doubts []detectors.Line
}

// staleFor are the wrong entries that an observer has for one peer, in the order of their file.
type staleFor struct {
	peer    int
	entries []entry
}

// entry is a neighbour entry with a link address.
type entry struct {
	addr  evidence.IPv4
	mac   evidence.MAC
	state evidence.NUD
	pos   evidence.Pos
	// route is the one by which packets to the address leave.
	route flannel.Route
}

func newComparison(b *evidence.Bundle, vteps []flannel.VTEP) *comparison {
	c := &comparison{b: b, vteps: vteps}
	for i := range vteps {
		bits := netip.MustParsePrefix(vteps[i].Lease.PodCIDR).Bits() // checked with the lease
		first, _ := evidence.ParseIPv4(vteps[i].Addr.String())
		c.subnets = append(c.subnets, subnet{first, first | ^evidence.IPv4(0)>>bits, i})
		if vteps[i].Collected {
			c.observations = append(c.observations, observation{vtep: &vteps[i]})
		}
	}
	slices.SortStableFunc(c.subnets, func(a, b subnet) int { return cmp.Compare(a.first, b.first) })
	return c
}

// peerOf returns the VTEP in whose subnet an address is, or -1.
func (c *comparison) peerOf(addr evidence.IPv4) int {
	i, _ := slices.BinarySearchFunc(c.subnets, addr, func(s subnet, a evidence.IPv4) int {
		if s.first > a {
			return 1
		}
		return -1
	})
	if i == 0 || c.subnets[i-1].last < addr {
		return -1
	}
	return c.subnets[i-1].vtep
}

func (c *comparison) observeAll(ctx context.Context, why *detectors.Doubts) {
	names := make([]string, len(c.observations))
	for i := range c.observations {
		names[i] = c.observations[i].vtep.Node()
	}
	flannel.EachNode(ctx, names, why, func(i int, _ string) {
		o := &c.observations[i]
		if err := c.observe(o); err != nil {
			o.doubts = append(o.doubts, detectors.Unreadable("", err))
		}
	})
}

// observe reads an observer's entries. Its routes are read only where an entry seems wrong.
func (c *comparison) observe(o *observation) error {
	suspects := map[int][]entry{}
	for row, err := range c.b.Neighbours(o.vtep.Node()) {
		if err != nil {
			return err
		}
		addr, ok := evidence.ParseIPv4(row.Dst)
		if !ok || string(row.Dev) != o.vtep.Dev || len(row.LLAddr) == 0 || !row.State.Resolved() {
			continue
		}
		mac, err := evidence.ParseMAC(row.LLAddr)
		if err != nil {
			return &evidence.FileError{File: evidence.NodeFile(o.vtep.Node(), evidence.NeighFile), Err: fmt.Errorf("%s: %w", addr, err)}
		}
		peer := c.peerOf(addr)
		if peer < 0 {
			continue
		}
		e := entry{addr: addr, mac: mac, state: row.State, pos: row.Pos}
		switch p := &c.vteps[peer]; {
		case p == o.vtep || p.Addr == o.vtep.Addr:
			o.doubt(e, "that is in %s's own subnet", p.Node())
		case mac == p.Announced || mac == p.Live:
			o.judged++
		default:
			suspects[peer] = append(suspects[peer], e)
		}
	}
	if len(suspects) == 0 {
		return nil
	}
	routes, _, err := flannel.ReadRoutes(c.b, o.vtep.Node())
	if err != nil {
		return err
	}
	for peer := range c.vteps { // in the order of nodes
		c.judge(o, peer, suspects[peer], routes)
	}
	return nil
}

// judge keeps those of the entries for a peer by which packets leave.
func (c *comparison) judge(o *observation, peer int, suspects []entry, routes *flannel.RouteTable) {
	p := &c.vteps[peer]
	var wrong []entry
	for _, e := range suspects {
		route, ok := routes.Covering(host(e.addr))
		if !ok || !route.Unicast || route.Dev != o.vtep.Dev || route.Gateway != "" {
			o.judged++
			continue
		}
		e.route = route
		wrong = append(wrong, e)
	}
	switch {
	case len(wrong) == 0:
	case o.vtep.Broken() || p.Broken():
		o.doubt(wrong[0], "whether it is right shows once link and lease of both %s and %s agree", o.vtep.Node(), p.Node())
	case p.State == flannel.LinkUnread && !p.Unseen():
		o.doubt(wrong[0], "without %s's link, it cannot be told whether this or its lease is stale", p.Node())
	default:
		o.stale = append(o.stale, staleFor{peer, wrong})
	}
}

func host(a evidence.IPv4) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)}), 32)
}

func (o *observation) doubt(e entry, format string, args ...any) {
	l := e.line(o.vtep)
	l.Text += ": " + fmt.Sprintf(format, args...)
	o.doubts = append(o.doubts, l)
}

// line quotes the entry as `ip neigh` writes it.
func (e entry) line(observer *flannel.VTEP) detectors.Line {
	return detectors.Line{
		File: evidence.NodeFile(observer.Node(), evidence.NeighFile), At: e.pos,
		Text: fmt.Sprintf("%s dev %s lladdr %s %s", e.addr, observer.Dev, e.mac, e.state),
	}
}
