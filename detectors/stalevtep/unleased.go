package stalevtep

import (
	"fmt"
	"net/netip"
	"strings"

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
	without, looked := c.cutOffFrom(lost, why)
	var found []detectors.Finding
	for i := range lost {
		found = append(found, c.leaseMissing(cluster, &lost[i], without[i], looked))
	}
	return found
}

// cutOff is an observer that cannot send to a node's pods.
type cutOff struct {
	node string
	// why quotes what it lacks.
	why detectors.Line
}

// cutOffFrom returns for each of nodes the observers that cannot send to its pods: they have no route to them by a flannel link, or
// where flannel works by misses and one route leads to all nodes, no FDB entry for the node's link. It returns as well how many
// observers were asked.
func (c *comparison) cutOffFrom(nodes []flannel.Unleased, why *detectors.Doubts) (without [][]cutOff, looked int) {
	asked := make([]struct {
		lost []*cutOff
		err  error
	}, len(c.vteps))
	parallel.Do(len(c.vteps), func(_, i int) {
		if c.vteps[i].Collected {
			asked[i].lost, asked[i].err = c.cannotSend(&c.vteps[i], nodes)
		}
	})
	without = make([][]cutOff, len(nodes))
	for i := range asked {
		if err := asked[i].err; err != nil {
			why.AddError(c.vteps[i].Node(), err)
		}
		if asked[i].lost == nil {
			continue
		}
		looked++
		for n, lost := range asked[i].lost {
			if lost != nil {
				without[n] = append(without[n], *lost)
			}
		}
	}
	return without, looked
}

// cannotSend returns for each of nodes what v lacks to send to its pods, nil if nothing; no list where v's routes cannot be read.
func (c *comparison) cannotSend(v *flannel.VTEP, nodes []flannel.Unleased) ([]*cutOff, error) {
	routes, err := v.Routes(c.b)
	if err != nil {
		return nil, err
	}
	lost := make([]*cutOff, len(nodes))
	for n := range nodes {
		cidr, err := netip.ParsePrefix(nodes[n].PodCIDR)
		r, ok := routes.Covering(cidr)
		switch {
		case err != nil || !ok || !r.Unicast || r.Dst.Bits() == 0:
			lost[n] = &cutOff{v.Node(), detectors.Line{
				File: evidence.NodeFile(v.Node(), evidence.RouteFile), Text: "no route to " + detectors.OneLine(nodes[n].PodCIDR),
			}}
		case r.Gateway == "" && v.IsLikeDev(r.Dev) && nodes[n].Link != nil:
			mac, err := evidence.ParseMAC(nodes[n].Link.Address)
			if err == nil && !c.forwards(v, mac) {
				lost[n] = &cutOff{v.Node(), detectors.Line{
					File: evidence.NodeFile(v.Node(), evidence.FDBFile), Text: fmt.Sprintf("no entry for %s dev %s", mac, v.Dev),
				}}
			}
		}
	}
	return lost, nil
}

// forwards reports whether v has an FDB entry for mac, or one for all that have none, or may have: a file that cannot be read is in
// doubt already.
func (c *comparison) forwards(v *flannel.VTEP, mac evidence.MAC) bool {
	for row, err := range c.b.FDB(v.Node()) {
		if err != nil {
			return true
		}
		if string(row.Dev) != v.Dev || len(row.Dst) == 0 {
			continue
		}
		if m, err := evidence.ParseMAC(row.MAC); err == nil && (m == mac || m == 0) {
			return true
		}
	}
	return false
}

// leaseMissing reports a node without a lease. Where the others still have its route, it is cut off as soon as flanneld starts
// anew on them.
func (c *comparison) leaseMissing(cluster *flannel.Cluster, u *flannel.Unleased, without []cutOff, looked int) detectors.Finding {
	cidr := detectors.OneLine(u.PodCIDR)
	what, comesBack := u.Node+" has no lease, since its Node lacks flannel's annotations", "writes the annotations anew"
	switch {
	case u.Source == evidence.FromEtcd:
		what, comesBack = u.Node+" has lost its lease in etcd", "asks etcd for its lease again"
	case u.Kube.Name == "": // Kubernetes's nodes are not in the bundle
		what = u.Node + " has no lease, which would be annotations of its Node"
	}
	lacks := "route to"
	if len(without) > 0 && strings.HasSuffix(without[0].why.File, evidence.FDBFile) {
		lacks = "FDB entry for"
	}
	f := detectors.Finding{
		Verdict: detectors.Problem, Severity: detectors.Critical, Case: LeaseMissing, Node: u.Node,
		Summary:  fmt.Sprintf("%s: %d of %d other nodes have no %s its pods (%s)", what, len(without), looked, lacks, cidr),
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
			f.Breaks = append(f.Breaks, detectors.LostBetween(o.node, u.Node)...)
		}
	}
	for i, o := range without {
		if i == maxPairs {
			break
		}
		f.Evidence = append(f.Evidence, o.why)
	}
	return f
}
