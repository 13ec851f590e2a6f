package stalearp

import (
	"fmt"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/internal/flannel"
)

// maxEntries is how many entries are quoted and deleted one by one. Where there are more, the remedy takes them all at once.
const maxEntries = 16

// finding reports the wrong entries that an observer has for one peer.
func (c *comparison) finding(o *observation, s staleFor) detectors.Finding {
	observer, peer, first := o.vtep, &c.vteps[s.peer], s.entries[0]
	is := fmt.Sprintf("%s is %s: %s drops them", peer.Dev, peer.Announced, peer.Node())
	if peer.Unseen() {
		is = "lease announces " + peer.Announced.String()
	}
	which := first.addr.String()
	if n := len(s.entries); n > 1 {
		which = fmt.Sprintf("%d addresses, such as %s,", n, which)
	}
	f := detectors.Finding{
		Verdict: detectors.Problem, Severity: detectors.Critical, Case: EntryStale, Node: observer.Node(), Peer: peer.Node(),
		Summary: fmt.Sprintf("%s sends packets for %s of %s (%s) to %s, but %s's %s",
			observer.Node(), which, peer.Node(), peer.Lease.PodCIDR, first.mac, peer.Node(), is),
		Expected: peer.Announced.String(), Actual: first.mac.String(),
		Breaks: detectors.LostBetween(observer.Node(), peer.Node()),
	}
	for _, e := range s.entries[:min(len(s.entries), maxEntries)] {
		f.Evidence = append(f.Evidence, e.line(observer))
	}
	f.Evidence = append(f.Evidence, detectors.Line{
		File: evidence.NodeFile(observer.Node(), evidence.RouteFile), At: first.route.Pos, Text: first.route.Text() + ", without a gateway",
	})
	f.Evidence = append(f.Evidence, peer.LinkLine(), flannel.LeaseLine(peer.Lease))
	f.Evidence = append(f.Evidence, peer.OtherHostLine(c.b)...)
	f.Remedy = forget(observer, peer, s.entries)
	return f
}

// forget are the commands that delete the entries.
func forget(observer, peer *flannel.VTEP, entries []entry) []detectors.Command {
	const why = "the next packet is a miss, which flanneld on %s answers from %s's lease"
	if len(entries) > maxEntries {
		return []detectors.Command{{
			Node: observer.Node(), Argv: []string{"ip", "neigh", "flush", "dev", observer.Dev, "to", peer.Lease.PodCIDR},
			Why: fmt.Sprintf(why, observer.Node(), peer.Node()),
		}}
	}
	var commands []detectors.Command
	for _, e := range entries {
		commands = append(commands, detectors.Command{
			Node: observer.Node(), Argv: []string{"ip", "neigh", "del", e.addr.String(), "dev", observer.Dev},
			Why: fmt.Sprintf(why, observer.Node(), peer.Node()),
		})
	}
	return commands
}
