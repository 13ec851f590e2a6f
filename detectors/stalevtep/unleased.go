package stalevtep

import (
	"fmt"
	"net/netip"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/internal/flannel"
	"github.com/netfault/netfault/detectors/internal/parallel"
)

// judgeUnleased reports the nodes that have lost their lease, and adds to why those of which that cannot be told.
func (c *comparison) judgeUnleased(cluster *flannel.Cluster, why *detectors.Doubts) []detectors.Finding {
	var lost []flannel.Unleased
	for _, u := range cluster.Unleased() {
		if u.Lost() {
			lost = append(lost, u)
			continue
		}
		for _, l := range u.Lines() {
			why.Add(u.Node, l)
		}
	}
	if len(lost) == 0 {
		return nil
	}
	without, looked := c.withoutRoute(lost, why)
	var found []detectors.Finding
	for i := range lost {
		found = append(found, c.leaseMissing(cluster, &lost[i], without[i], looked))
	}
	return found
}

// withoutRoute returns for each of nodes the observers that have no route to its pods by a flannel link, and how many observers
// were asked.
func (c *comparison) withoutRoute(nodes []flannel.Unleased, why *detectors.Doubts) (without [][]string, looked int) {
	asked := make([]struct {
		table *flannel.RouteTable
		err   error
	}, len(c.vteps))
	parallel.Do(len(c.vteps), func(_, i int) {
		if c.vteps[i].Collected {
			asked[i].table, asked[i].err = c.vteps[i].Routes(c.b)
		}
	})
	without = make([][]string, len(nodes))
	for i := range asked {
		if asked[i].err != nil {
			why.AddError(c.vteps[i].Node(), asked[i].err)
		}
		if asked[i].table == nil {
			continue
		}
		looked++
		for n := range nodes {
			cidr, err := netip.ParsePrefix(nodes[n].PodCIDR)
			if r, ok := asked[i].table.Covering(cidr); err != nil || !ok || !r.Unicast || r.Dst.Bits() == 0 {
				without[n] = append(without[n], c.vteps[i].Node())
			}
		}
	}
	return without, looked
}

// leaseMissing reports a node without a lease. Where the others still have its route, it is cut off as soon as flanneld starts
// anew on them.
func (c *comparison) leaseMissing(cluster *flannel.Cluster, u *flannel.Unleased, without []string, looked int) detectors.Finding {
	cidr := detectors.OneLine(u.PodCIDR)
	what, comesBack := u.Node+" has no lease, since its Node lacks flannel's annotations", "writes the annotations anew"
	switch {
	case u.Source == evidence.FromEtcd:
		what, comesBack = u.Node+" has lost its lease in etcd", "asks etcd for its lease again"
	case u.Kube.Name == "": // Kubernetes's nodes are not in the bundle
		what = u.Node + " has no lease, which would be annotations of its Node"
	}
	f := detectors.Finding{
		Verdict: detectors.Problem, Severity: detectors.Critical, Case: LeaseMissing, Node: u.Node,
		Summary:  fmt.Sprintf("%s: %d of %d other nodes have no route to its pods (%s)", what, len(without), looked, cidr),
		Expected: "a lease of " + cidr,
		Actual:   "none",
		Evidence: u.Lines(),
		Remedy: []detectors.Command{cluster.Restart(u.Node, u.Source, fmt.Sprintf(
			"flanneld on %s %s, and the other nodes make its route, neighbour and FDB entry of it", u.Node, comesBack))},
	}
	switch {
	case len(without) == 0:
		f.Severity = detectors.Warning
		f.Summary = fmt.Sprintf("%s: the %d other nodes still have the route to its pods (%s), until flanneld starts anew there", what, looked, cidr)
	case len(without) == looked:
		f.Breaks = detectors.LostAround(u.Node)
	default:
		for _, o := range without {
			f.Breaks = append(f.Breaks, detectors.LostBetween(o, u.Node)...)
		}
	}
	for i, o := range without {
		if i == maxPairs {
			break
		}
		f.Evidence = append(f.Evidence, detectors.Line{
			File: evidence.NodeFile(o, evidence.RouteFile), Text: "no route to " + cidr,
		})
	}
	return f
}
