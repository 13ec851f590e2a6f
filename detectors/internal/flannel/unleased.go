package flannel

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
)

// Unleased is a node that has no lease.
type Unleased struct {
	Node string
	// Kube is what Kubernetes says of it; its Name is empty where Kubernetes does not know it.
	Kube evidence.KubeNode
	// PodCIDR is the network that it has leased, or had; empty where that is not known.
	PodCIDR string
	// Link is its flannel link, nil where there is none or the node was not collected.
	Link *evidence.Link
	// LinkErr is why its links cannot be read.
	LinkErr error
	// Source is where its lease would be, FromEtcd or FromAnnotation.
	Source string
	// former says that PodCIDR is what flanneld left for the CNI plugin.
	former bool
}

// Lost reports whether the node is one of flannel's that had a lease: it has flannel's link, or some of flannel's annotations.
func (u *Unleased) Lost() bool { return u.PodCIDR != "" && (u.Link != nil || u.Kube.Traces) }

// Unleased returns the nodes that the bundle is about and that have no lease, sorted, but for those whose lease is odd: those of
// cluster/nodes.json without flannel's annotations, and those whose folder shows a link of flannel's, or cannot be read. A folder
// without one may be a host outside the cluster.
func (c *Cluster) Unleased() []Unleased {
	leased := map[string]bool{}
	for _, l := range c.all() {
		leased[l.Node] = true
	}
	for _, o := range c.Odd {
		leased[o.Node] = true
	}
	byNode := map[string]*Unleased{}
	for _, k := range c.Kube {
		if !leased[k.Name] && !k.Leased && c.Wanted(k.Name) {
			byNode[k.Name] = &Unleased{Node: k.Name, Kube: k}
		}
	}
	for _, node := range c.Nodes {
		if leased[node] {
			continue
		}
		links, _, err := c.links(node)
		u := byNode[node]
		if u == nil && (err != nil || len(links) > 0) {
			u = &Unleased{Node: node}
			byNode[node] = u
		}
		if u != nil {
			u.LinkErr = err
			if len(links) > 0 {
				u.Link = &links[0]
			}
		}
	}
	for _, u := range byNode {
		u.Source, u.PodCIDR = evidence.FromAnnotation, u.Kube.PodCIDR
		if len(c.Leases) > 0 && c.Leases[0].Source == evidence.FromEtcd {
			u.Source = evidence.FromEtcd
		}
		// Kubernetes's nodes do not tell of etcd's subnets, and may not be in the bundle.
		if u.Source == evidence.FromEtcd || len(c.Kube) == 0 {
			u.PodCIDR, u.former = c.formerSubnet(u.Node), true
		}
	}
	return slices.SortedFunc(func(yield func(Unleased) bool) {
		for u := range maps.Values(byNode) {
			if !yield(*u) {
				return
			}
		}
	}, func(a, b Unleased) int { return cmp.Compare(a.Node, b.Node) })
}

// formerSubnet returns the network that a node had leased, by what flanneld left for the CNI plugin; empty if that is not
// known, is of another network than the leases, or is another node's by now.
func (c *Cluster) formerSubnet(node string) string {
	s, err := c.b.Subnet(node)
	if err != nil || !s.Network.Contains(s.Subnet.Addr()) {
		return ""
	}
	for _, l := range c.Leases {
		if p := netip.MustParsePrefix(l.PodCIDR); !s.Network.Contains(p.Addr()) || p.Overlaps(s.Subnet) {
			return ""
		}
	}
	return s.Subnet.Masked().String()
}

// Lines quote why the node has no lease, or that it should.
func (u *Unleased) Lines() []detectors.Line {
	var lines []detectors.Line
	if u.Kube.Name != "" {
		lines = append(lines, detectors.Line{File: evidence.NodesFile, At: u.Kube.Pos, Text: u.Node + " lacks flannel's annotations, so it has no lease"})
	}
	if u.Link != nil {
		lines = append(lines, detectors.Line{
			File: evidence.NodeFile(u.Node, evidence.LinkFile), At: u.Link.Pos, Text: fmt.Sprintf("%s has %s, but no lease", u.Node, u.Link.Name),
		})
	}
	if u.former && u.Lost() {
		lines = append(lines, detectors.Line{
			File: evidence.NodeFile(u.Node, evidence.SubnetFile), Text: fmt.Sprintf("%s had leased %s", u.Node, u.PodCIDR),
		})
	}
	if u.LinkErr != nil {
		lines = append(lines, detectors.Unreadable("", u.LinkErr))
	}
	return lines
}
