package detectors

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors/evidence"
)

// maxPairs is how many wrong or missing entries of one observer are reported one by one. Where there are more, the fault
// is the observer's own, such as a flannel.<VNI> that was down for a moment, and so is the remedy.
const maxPairs = 32

// nodeFindings reports the nodes whose own link or lease is wrong.
func (c *comparison) nodeFindings() []Finding {
	var found []Finding
	for i := range c.vteps {
		v := &c.vteps[i]
		f := Finding{Verdict: Problem, Severity: Critical, Node: v.node(), Evidence: []Line{v.linkLine(), leaseLine(v.lease)}}
		switch {
		case v.state == linkMissing:
			f.Case = VTEPMissing
			f.Summary = fmt.Sprintf("%s has no %s: its pods (%s) reach no other node, and no other node reaches them", v.node(), v.dev, v.lease.PodCIDR)
			f.Expected, f.Actual = v.dev+" UP", "no "+v.dev
		case v.state == linkDown:
			f.Case = VTEPDown
			f.Summary = fmt.Sprintf("%s's %s is down: its pods (%s) reach no other node, and no other node reaches them", v.node(), v.dev, v.lease.PodCIDR)
			f.Expected, f.Actual = v.dev+" UP", v.dev+" <"+strings.Join(v.flags, ",")+">"
			if v.drifted() {
				f.Summary += fmt.Sprintf("; nor does its address %s agree with its lease", v.live)
			}
		case v.drifted():
			f.Case = LeaseStale
			f.Summary = fmt.Sprintf("%s's lease announces %s, but its %s is %s: it drops what the other nodes send to its pods (%s)",
				v.node(), v.announced, v.dev, v.live, v.lease.PodCIDR)
			f.Expected, f.Actual = v.live.String(), v.announced.String()
		default:
			continue
		}
		f.Evidence = append(f.Evidence, c.falloutLines(i)...)
		f.Evidence = append(f.Evidence, v.otherHostLine(c.b)...)
		f.Remedy = []Command{restartFlanneld(v.lease, fmt.Sprintf(
			"flanneld brings %s's %s up, announces its link address in the lease, which the other nodes then follow, and writes %s's own entries anew",
			v.node(), v.dev, v.node()))}
		found = append(found, f)
	}
	return found
}

// falloutLines says what else is wrong because VTEP i's link or lease is.
func (c *comparison) falloutLines(i int) []Line {
	v, t := &c.vteps[i], c.tallies[i]
	var lines []Line
	if t.asLease > 0 {
		o := &c.vteps[t.follower]
		lines = append(lines, Line{
			File: evidence.NodeFile(o.node(), evidence.NeighFile),
			Text: fmt.Sprintf("%s (%d of %d observers follow the lease)", neighbourText(o, v, t.row), t.asLease, t.asLease+t.asLink+t.other+t.missing),
		})
	}
	if rest := t.asLink + t.other + t.missing; v.drifted() && rest > 0 {
		lines = append(lines, Line{
			File: v.lease.File,
			Text: fmt.Sprintf("not following it: %d observers with the link's address, %d with another, %d with none", t.asLink, t.other, t.missing),
		})
	}
	if own := c.observed[i].total(); own > 0 {
		lines = append(lines, Line{
			File: evidence.NodeFile(v.node(), evidence.NeighFile),
			Text: fmt.Sprintf("%s's own entries for %d other nodes are wrong or missing", v.node(), own),
		})
	}
	return lines
}

// pairFindings reports the entries that are wrong or missing on observers that have nothing wrong of their own.
func (c *comparison) pairFindings() []Finding {
	var found []Finding
	otherHost := map[int32][]Line{}
	for i := range c.observed {
		o := &c.vteps[i]
		switch {
		case o.broken():
		case c.observed[i].total() > maxPairs:
			found = append(found, c.observerWide(i))
		default:
			for _, s := range c.observed[i].suspects {
				f := c.pairFinding(o, s)
				if s.kind == ObserverStale {
					lines, ok := otherHost[s.peer]
					if !ok {
						lines = c.vteps[s.peer].otherHostLine(c.b)
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

// pairFinding reports what is wrong on observer o for one peer.
func (c *comparison) pairFinding(o *vtep, s suspect) Finding {
	peer := &c.vteps[s.peer]
	f := Finding{
		Verdict: Problem, Severity: Critical, Case: s.kind, Node: o.node(), Peer: peer.node(),
		Evidence: []Line{{File: evidence.NodeFile(o.node(), evidence.NeighFile), Text: neighbourText(o, peer, s.neighbour)}},
	}
	pods := fmt.Sprintf("%s's pods (%s)", peer.node(), peer.lease.PodCIDR)
	neigh, fdb := setNeighbour(o, peer), setFDB(o, peer)
	switch s.kind {
	case ObserverStale:
		f.Expected, f.Actual = peer.announced.String(), s.neighbour.mac.String()
		is := fmt.Sprintf("%s is %s: %s drops them", peer.dev, peer.announced, peer.node())
		if peer.state == linkMissing {
			is = "lease announces " + peer.announced.String()
		}
		f.Summary = fmt.Sprintf("%s sends packets for %s to %s, but %s's %s", o.node(), pods, s.neighbour.mac, peer.node(), is)
		f.Remedy = []Command{neigh, fdb}
	case NeighbourMissing:
		f.Expected, f.Actual = peer.announced.String(), "no entry"
		if s.neighbour.found {
			f.Actual = s.neighbour.state.String()
		}
		f.Summary = fmt.Sprintf("%s does not know the address of %s's %s (%s: %s): packets for %s are lost on %s",
			o.node(), peer.node(), peer.dev, peer.addr, f.Actual, pods, o.node())
		f.Remedy = []Command{neigh, fdb}
	case FDBMissing:
		f.Expected, f.Actual = fdbText(peer, peer.publicIP.String()), "no entry"
		f.Summary = fmt.Sprintf("%s has no FDB entry for %s's %s (%s): packets for %s are lost on %s",
			o.node(), peer.node(), peer.dev, peer.announced, pods, o.node())
		f.Evidence = append(f.Evidence, Line{
			File: evidence.NodeFile(o.node(), evidence.FDBFile),
			Text: fmt.Sprintf("no entry for %s dev %s", peer.announced, o.dev),
		})
		f.Remedy = []Command{fdb}
	case FDBElsewhere:
		f.Expected, f.Actual = fdbText(peer, peer.publicIP.String()), fdbText(peer, s.dst)
		f.Summary = fmt.Sprintf("%s forwards %s's %s (%s) to %s instead of %s: packets for %s go astray",
			o.node(), peer.node(), peer.dev, peer.announced, s.dst, peer.publicIP, pods)
		f.Evidence = append(f.Evidence, Line{
			File: evidence.NodeFile(o.node(), evidence.FDBFile),
			Text: fmt.Sprintf("%s dev %s dst %s", peer.announced, o.dev, s.dst),
		})
		f.Remedy = []Command{fdb}
	}
	f.Evidence = append(f.Evidence, peer.linkLine(), leaseLine(peer.lease))
	return f
}

// observerWide reports an observer with many wrong or missing entries as one fault.
func (c *comparison) observerWide(i int) Finding {
	o, seen := &c.vteps[i], &c.observed[i]
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(seen.wrong)) {
		kinds = append(kinds, fmt.Sprintf("%d %s", seen.wrong[kind], kind))
	}
	one := c.pairFinding(o, seen.suspects[0])
	return Finding{
		Verdict: Problem, Severity: Critical, Case: ObserverWide, Node: o.node(),
		Summary: fmt.Sprintf("%s's entries for %d of %d other nodes are wrong or missing (%s)",
			o.node(), seen.total(), len(c.vteps)-1, strings.Join(kinds, ", ")),
		Expected: "0 wrong or missing",
		Actual:   fmt.Sprintf("%d wrong or missing", seen.total()),
		Evidence: slices.Concat([]Line{{File: one.Evidence[0].File, Text: "the first of them: " + one.Summary}}, one.Evidence),
		Remedy: []Command{restartFlanneld(o.lease, fmt.Sprintf(
			"flanneld writes the route, neighbour and FDB entry of every lease on %s anew", o.node()))},
	}
}

// setNeighbour is the command that makes o send packets for peer's pods to the address that peer has.
func setNeighbour(o, peer *vtep) Command {
	return Command{
		Node: o.node(),
		Argv: []string{"ip", "neigh", "replace", peer.addr.String(), "lladdr", peer.announced.String(), "dev", o.dev, "nud", "permanent"},
		Why:  fmt.Sprintf("%s sends packets for %s's pods to the address that %s's %s has", o.node(), peer.node(), peer.node(), peer.dev),
	}
}

// setFDB is the command that makes o forward frames for peer to peer's node.
func setFDB(o, peer *vtep) Command {
	return Command{
		Node: o.node(),
		Argv: []string{"bridge", "fdb", "replace", peer.announced.String(), "dev", o.dev, "dst", peer.publicIP.String(), "self", "permanent"},
		Why:  fmt.Sprintf("%s forwards frames for that address to %s (%s)", o.node(), peer.node(), peer.publicIP),
	}
}

func fdbText(peer *vtep, dst string) string {
	return peer.announced.String() + " dst " + dst
}

// neighbourText writes o's entry for peer as `ip neigh` does.
func neighbourText(o, peer *vtep, n neighbour) string {
	switch {
	case !n.found:
		return fmt.Sprintf("no entry for %s dev %s", peer.addr, o.dev)
	case n.mac == 0:
		return fmt.Sprintf("%s dev %s %s", peer.addr, o.dev, n.state)
	default:
		return fmt.Sprintf("%s dev %s lladdr %s %s", peer.addr, o.dev, n.mac, n.state)
	}
}

// linkLine quotes v's link.
func (v *vtep) linkLine() Line {
	l := Line{File: evidence.NodeFile(v.node(), evidence.LinkFile)}
	switch v.state {
	case linkUnread:
		l.Text = v.dev + " could not be read"
	case linkMissing:
		l.Text = "no link " + v.dev
	default:
		l.Text = fmt.Sprintf("%s <%s> address %s", v.dev, oneLine(strings.Join(v.flags, ",")), v.live)
	}
	return l
}
