package stalevtep

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/internal/flannel"
)

// flush is what the kernel took from an observer's link when it was down for a moment, or lost its address. Both take the routes by
// the link and its neighbours, permanent ones too (fib_disable_ip, arp_ifdown); FDB rows stay. flanneld puts nothing back before
// its next start.
type flush struct {
	// peers are those to whose pods the observer has no route.
	peers []int
	// neighbours of them have no neighbour entry, and forwards have their FDB row.
	neighbours, forwards int
	// address says that the VTEP IP is gone, too.
	address bool
}

// flushed returns what observer i's link has lost, nil if it has not lost all of its routes. Of a single peer, the route alone may
// have been deleted, and a flanneld that has just started has written nothing yet, also no FDB rows.
func (c *comparison) flushed(i int, t *table) *flush {
	v := &c.vteps[i]
	if v.State != flannel.LinkUp || v.Drifted() {
		return nil
	}
	// Routes that cannot be read matter where an entry is missing, and dropByRoutes says so there.
	if found, err := c.routesByLink(v); found || err != nil {
		return nil
	}
	routes, err := v.Routes(c.b)
	if err != nil {
		return nil
	}
	f := &flush{}
	for p := range c.vteps {
		if p == i || c.vteps[p].Addr == v.Addr || routes.Has(netip.MustParsePrefix(c.vteps[p].Lease.PodCIDR)) {
			continue
		}
		f.peers = append(f.peers, p)
		if !t.neighbours[p].resolved() {
			f.neighbours++
		}
		if t.forwards[p].right {
			f.forwards++
		}
	}
	if len(f.peers) == 0 {
		return nil
	}
	f.address = c.lostAddress(v)
	all := f.neighbours == len(f.peers)
	if f.address || all && f.forwards > 0 || !all && len(f.peers) > 1 {
		return f
	}
	return nil
}

// routesByLink reports whether the observer routes any peer's pods by a link of flannel's. Mostly the first of its routes tells.
func (c *comparison) routesByLink(v *flannel.VTEP) (bool, error) {
	for r, err := range c.b.Routes(v.Node()) {
		if err != nil {
			return false, err
		}
		if !v.IsLikeDev(r.Dev) || !r.IsUnicast() || !r.InMain() {
			continue
		}
		dst, err := netip.ParsePrefix(r.Dst)
		for p := range c.vteps {
			if err == nil && c.vteps[p].Node() != v.Node() && dst.Overlaps(netip.MustParsePrefix(c.vteps[p].Lease.PodCIDR)) {
				return true, nil
			}
		}
	}
	return false, nil
}

// lostAddress reports whether v's link is known to lack the VTEP IP.
func (c *comparison) lostAddress(v *flannel.VTEP) bool {
	seen := false
	for link, err := range c.b.Addrs(v.Node()) {
		if err != nil {
			return false
		}
		if link.Name != v.Dev {
			continue
		}
		seen = true
		for _, a := range link.Addrs {
			if a.Local == v.Addr.String() {
				return false
			}
		}
	}
	return seen
}

// flushedFinding reports an observer whose link has lost what flanneld had set on it.
func (c *comparison) flushedFinding(i int) detectors.Finding {
	v, f := &c.vteps[i], c.observed[i].flush
	lost := []string{fmt.Sprintf("its routes to other nodes' pods (%d of %d)", len(f.peers), len(f.peers))}
	lines := []detectors.Line{{
		File: evidence.NodeFile(v.Node(), evidence.RouteFile), Text: fmt.Sprintf("no route by %s to the pods of %s", v.Dev, c.names(f.peers)),
	}}
	if f.neighbours > 0 {
		lost = append(lost, fmt.Sprintf("their neighbour entries (%d of %d)", f.neighbours, len(f.peers)))
		lines = append(lines, detectors.Line{
			File: evidence.NodeFile(v.Node(), evidence.NeighFile),
			Text: fmt.Sprintf("dev %s: no entries of %d of %d of them", v.Dev, f.neighbours, len(f.peers)),
		})
	}
	if f.address {
		lost = append(lost, "its address "+v.Addr.String())
		lines = append(lines, detectors.Line{
			File: evidence.NodeFile(v.Node(), evidence.AddrFile), Text: fmt.Sprintf("%s has no address %s", v.Dev, v.Addr),
		})
	}
	lines = append(lines, detectors.Line{
		File: evidence.NodeFile(v.Node(), evidence.FDBFile),
		Text: fmt.Sprintf("dev %s: the rows of %d of %d of them are there", v.Dev, f.forwards, len(f.peers)),
	})
	what := lost[len(lost)-1]
	if rest := lost[:len(lost)-1]; len(rest) > 0 {
		what = strings.Join(rest, ", ") + " and " + what
	}
	finding := detectors.Finding{
		Verdict: detectors.Problem, Severity: detectors.Critical, Case: VTEPFlushed, Node: v.Node(),
		Summary: fmt.Sprintf("%s's %s is up, but has lost %s: what %s's pods (%s) send to those of other nodes, answers too, is lost",
			v.Node(), v.Dev, what, v.Node(), v.Lease.PodCIDR),
		Expected: fmt.Sprintf("routes by %s: %d", v.Dev, len(f.peers)),
		Actual:   fmt.Sprintf("routes by %s: 0", v.Dev),
		Evidence: append(lines, v.LinkLine(), flannel.LeaseLine(v.Lease)),
		Remedy: []detectors.Command{c.cluster.Restart(v.Node(), v.Lease.Source, fmt.Sprintf(
			"flanneld gives %s its address again, and writes the route, neighbour and FDB entry of every lease on %s anew", v.Dev, v.Node()))},
	}
	if len(f.peers) == len(c.vteps)-1 {
		finding.Breaks = detectors.LostAround(v.Node())
		return finding
	}
	for _, p := range f.peers {
		finding.Breaks = append(finding.Breaks, detectors.LostBetween(v.Node(), c.vteps[p].Node())...)
	}
	return finding
}
