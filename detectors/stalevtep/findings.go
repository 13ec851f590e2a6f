package stalevtep

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/internal/flannel"
)

// maxPairs is how many wrong or missing entries of one observer are reported one by one. Where there are more, the fault
// is the observer's own, such as a flannel.<VNI> that was down for a moment, and so is the remedy.
const maxPairs = 32

// nodeFindings reports the nodes whose own link or lease is wrong.
func (c *comparison) nodeFindings() []detectors.Finding {
	var found []detectors.Finding
	for i := range c.vteps {
		v := &c.vteps[i]
		f := detectors.Finding{Verdict: detectors.Problem, Severity: detectors.Critical, Node: v.Node(), Evidence: []detectors.Line{v.LinkLine(), flannel.LeaseLine(v.Lease)}}
		switch {
		case v.State == flannel.LinkMissing:
			f.Case = VTEPMissing
			f.Summary = fmt.Sprintf("%s has no %s: its pods (%s) reach no other node, and no other node reaches them", v.Node(), v.Dev, v.Lease.PodCIDR)
			f.Expected, f.Actual = v.Dev+" UP", "no "+v.Dev
		case v.State == flannel.LinkDown:
			f.Case = VTEPDown
			f.Summary = fmt.Sprintf("%s's %s is down: its pods (%s) reach no other node, and no other node reaches them", v.Node(), v.Dev, v.Lease.PodCIDR)
			f.Expected, f.Actual = v.Dev+" UP", v.Dev+" <"+strings.Join(v.Flags, ",")+">"
			if v.Drifted() {
				f.Summary += fmt.Sprintf("; nor does its address %s agree with its lease", v.Live)
			}
		case v.Drifted():
			f.Case = LeaseStale
			f.Summary = fmt.Sprintf("%s's lease announces %s, but its %s is %s: it drops what the other nodes send to its pods (%s)",
				v.Node(), v.Announced, v.Dev, v.Live, v.Lease.PodCIDR)
			f.Expected, f.Actual = v.Live.String(), v.Announced.String()
		default:
			continue
		}
		f.Breaks = detectors.LostAround(v.Node())
		f.Evidence = append(f.Evidence, c.falloutLines(i)...)
		f.Evidence = append(f.Evidence, v.OtherHostLine(c.b)...)
		f.Remedy = []detectors.Command{c.cluster.Restart(v.Node(), v.Lease.Source, fmt.Sprintf(
			"flanneld brings %s's %s up, announces its link address in the lease, which the other nodes then follow, and writes %s's own entries anew",
			v.Node(), v.Dev, v.Node()))}
		found = append(found, f)
	}
	return found
}

// falloutLines says what else is wrong because VTEP i's link or lease is.
func (c *comparison) falloutLines(i int) []detectors.Line {
	v, t := &c.vteps[i], c.tallies[i]
	var lines []detectors.Line
	if t.asLease > 0 {
		o := &c.vteps[t.follower]
		lines = append(lines, detectors.Line{
			File: evidence.NodeFile(o.Node(), evidence.NeighFile),
			At:   t.row.pos,
			Text: fmt.Sprintf("%s (%d of %d observers follow the lease)", neighbourText(o, v, t.row), t.asLease, t.asLease+t.asLink+t.other+t.missing),
		})
	}
	if rest := t.asLink + t.other + t.missing; v.Drifted() && rest > 0 {
		lines = append(lines, detectors.Line{
			File: v.Lease.File,
			Text: fmt.Sprintf("not following it: %d observers with the link's address, %d with another, %d with none", t.asLink, t.other, t.missing),
		})
	}
	if own := c.observed[i].total(); own > 0 {
		lines = append(lines, detectors.Line{
			File: evidence.NodeFile(v.Node(), evidence.NeighFile),
			Text: fmt.Sprintf("%s's own entries for %d other nodes are wrong or missing", v.Node(), own),
		})
	}
	return lines
}

// pairFindings reports the entries that are wrong or missing on observers that have nothing wrong of their own.
func (c *comparison) pairFindings() []detectors.Finding {
	var found []detectors.Finding
	otherHost := map[int32][]detectors.Line{}
	for i := range c.observed {
		o := &c.vteps[i]
		switch {
		case o.Broken():
		case c.observed[i].flush != nil:
			found = append(found, c.flushedFinding(i))
		case c.observed[i].total() > maxPairs:
			found = append(found, c.observerWide(i))
		default:
			for _, s := range c.observed[i].suspects {
				f := c.pairFinding(o, s)
				if s.kind == ObserverStale {
					lines, ok := otherHost[s.peer]
					if !ok {
						lines = c.vteps[s.peer].OtherHostLine(c.b)
						otherHost[s.peer] = lines
					}
					f.Evidence = append(f.Evidence, lines...)
				}
				found = append(found, f)
			}
		}
	}
	return found
}

// findings are what is wrong with the VTEPs; what could not be judged is added to why.
func (c *comparison) findings(ctx context.Context, why *detectors.Doubts) []detectors.Finding {
	c.observeAll(ctx)
	found := slices.Concat(c.sharedFindings(), c.judgeUnleased(c.cluster, why), c.nodeFindings(), c.pairFindings())
	c.addDoubts(ctx, why)
	return found
}

// pairFinding reports what is wrong on observer o for one peer.
func (c *comparison) pairFinding(o *flannel.VTEP, s suspect) detectors.Finding {
	peer := &c.vteps[s.peer]
	f := detectors.Finding{
		Verdict: detectors.Problem, Severity: detectors.Critical, Case: s.kind, Node: o.Node(), Peer: peer.Node(),
		Breaks: detectors.LostBetween(o.Node(), peer.Node()),
		Evidence: []detectors.Line{{
			File: evidence.NodeFile(o.Node(), evidence.NeighFile), At: s.neighbour.pos, Text: neighbourText(o, peer, s.neighbour),
		}},
	}
	pods := fmt.Sprintf("%s's pods (%s)", peer.Node(), peer.Lease.PodCIDR)
	neigh, fdb := o.SetNeighbour(peer), o.SetFDB(peer)
	switch s.kind {
	case ObserverStale:
		f.Expected, f.Actual = peer.Announced.String(), s.neighbour.mac.String()
		is := fmt.Sprintf("%s is %s: %s drops them", peer.Dev, peer.Announced, peer.Node())
		if peer.State == flannel.LinkMissing || peer.Unseen() {
			is = "lease announces " + peer.Announced.String()
		}
		if other := first(c.byMAC, s.neighbour.mac); other >= 0 {
			is = fmt.Sprintf("%s is %s: the other address is that of %s", peer.Dev, peer.Announced, c.vteps[other].Node())
		}
		f.Summary = fmt.Sprintf("%s sends packets for %s to %s, but %s's %s", o.Node(), pods, s.neighbour.mac, peer.Node(), is)
		f.Remedy = []detectors.Command{neigh, fdb}
	case NeighbourMissing:
		f.Expected, f.Actual = peer.Announced.String(), "no entry"
		if s.neighbour.found {
			f.Actual = s.neighbour.state.String()
		}
		f.Summary = fmt.Sprintf("%s does not know the address of %s's %s (%s, %s): packets for %s are lost on %s",
			o.Node(), peer.Node(), peer.Dev, peer.Addr, f.Actual, pods, o.Node())
		f.Remedy = []detectors.Command{neigh, fdb}
	case FDBMissing:
		f.Expected, f.Actual = fdbText(peer, peer.PublicIP.String()), "no entry"
		f.Summary = fmt.Sprintf("%s has no FDB entry for %s's %s (%s): packets for %s are lost on %s",
			o.Node(), peer.Node(), peer.Dev, peer.Announced, pods, o.Node())
		f.Evidence = append(f.Evidence, detectors.Line{
			File: evidence.NodeFile(o.Node(), evidence.FDBFile),
			Text: fmt.Sprintf("no entry for %s dev %s", peer.Announced, o.Dev),
		})
		f.Remedy = []detectors.Command{fdb}
	case FDBElsewhere:
		f.Expected, f.Actual = fdbText(peer, peer.PublicIP.String()), s.row.mac.String()+" dst "+s.row.dst
		f.Summary = fmt.Sprintf("%s forwards %s's %s (%s) to %s instead of %s: packets for %s go astray",
			o.Node(), peer.Node(), peer.Dev, peer.Announced, s.row.dst, peer.PublicIP, pods)
		f.Evidence = append(f.Evidence, detectors.Line{
			File: evidence.NodeFile(o.Node(), evidence.FDBFile), At: s.row.pos,
			Text: fmt.Sprintf("%s dev %s dst %s", s.row.mac, o.Dev, s.row.dst),
		})
		f.Remedy = []detectors.Command{fdb}
	case RouteMissing:
		f.Expected, f.Actual = fmt.Sprintf("%s via %s dev %s", peer.Lease.PodCIDR, peer.Addr, o.Dev), "no route"
		f.Summary = fmt.Sprintf("%s has no route to %s, though its entries for %s's %s are there: packets for them leave by another route, or not at all",
			o.Node(), pods, peer.Node(), peer.Dev)
		f.Evidence = append(f.Evidence, detectors.Line{File: evidence.NodeFile(o.Node(), evidence.RouteFile), Text: "no route to " + peer.Lease.PodCIDR})
		f.Remedy = []detectors.Command{setRoute(o, peer)}
	}
	f.Evidence = append(f.Evidence, peer.LinkLine(), flannel.LeaseLine(peer.Lease))
	if s.kind == NeighbourMissing && s.unrouted {
		f.Evidence = append(f.Evidence, detectors.Line{
			File: evidence.NodeFile(o.Node(), evidence.RouteFile), Text: "no route to " + peer.Lease.PodCIDR,
		})
		f.Remedy = []detectors.Command{c.writeAnew(o)}
	}
	return f
}

// setRoute is the command that leads packets for peer's pods to its VTEP (flannel's handleSubnetEvents in vxlan_network.go).
func setRoute(o, peer *flannel.VTEP) detectors.Command {
	argv := []string{"ip", "route", "replace", peer.Lease.PodCIDR, "via", peer.Addr.String(), "dev", o.Dev, "onlink"}
	if o.IPv6() {
		argv = slices.Insert(argv, 1, "-6")
	}
	return detectors.Command{Node: o.Node(), Argv: argv, Why: fmt.Sprintf("packets to %s's pods go to its %s; flanneld makes the same route when it starts", peer.Node(), peer.Dev)}
}

// writeAnew is the command by which all of o's entries come back.
func (c *comparison) writeAnew(o *flannel.VTEP) detectors.Command {
	return c.cluster.Restart(o.Node(), o.Lease.Source, fmt.Sprintf(
		"flanneld writes the route, neighbour and FDB entry of every lease on %s anew", o.Node()))
}

// observerWide reports an observer with many wrong or missing entries as one fault.
func (c *comparison) observerWide(i int) detectors.Finding {
	o, seen := &c.vteps[i], &c.observed[i]
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(seen.wrong)) {
		kinds = append(kinds, fmt.Sprintf("%d %s", seen.wrong[kind], kind))
	}
	one := c.pairFinding(o, seen.suspects[0])
	return detectors.Finding{
		Verdict: detectors.Problem, Severity: detectors.Critical, Case: ObserverWide, Node: o.Node(),
		Summary: fmt.Sprintf("%s's entries for %d of %d other nodes are wrong or missing (%s)",
			o.Node(), seen.total(), len(c.vteps)-1, strings.Join(kinds, ", ")),
		Expected: "0 wrong or missing",
		Actual:   fmt.Sprintf("%d wrong or missing", seen.total()),
		Breaks:   detectors.LostAround(o.Node()),
		Evidence: slices.Concat([]detectors.Line{{File: one.Evidence[0].File, At: one.Evidence[0].At, Text: "the first of them: " + one.Summary}}, one.Evidence),
		Remedy:   []detectors.Command{c.writeAnew(o)},
	}
}

func fdbText(peer *flannel.VTEP, dst string) string {
	return peer.Announced.String() + " dst " + dst
}

// neighbourText writes o's entry for peer as `ip neigh` does.
func neighbourText(o, peer *flannel.VTEP, n neighbour) string {
	switch {
	case !n.found:
		return fmt.Sprintf("no entry for %s dev %s", peer.Addr, o.Dev)
	case n.mac == 0:
		return fmt.Sprintf("%s dev %s %s", peer.Addr, o.Dev, n.state)
	default:
		return fmt.Sprintf("%s dev %s lladdr %s %s", peer.Addr, o.Dev, n.mac, n.state)
	}
}
