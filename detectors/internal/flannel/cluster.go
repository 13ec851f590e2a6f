// Package flannel is what several detectors look at: flannel's leases, the VTEPs and the routes that it makes of them. What is
// small is read once for a bundle, whoever asks first.
package flannel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/internal/parallel"
)

// Cluster is what a bundle says of the cluster as a whole.
type Cluster struct {
	// Leases are sorted by node; LeaseErr says why there are none. Odd are those that cannot be relied on.
	Leases   []evidence.Lease
	Odd      []evidence.OddLease
	LeaseErr error
	// IPv6Only are the leases of the vxlan backend of a cluster of IPv6 alone, as they are of that, sorted; LeaseErr is
	// evidence.ErrIPv6Only then.
	IPv6Only []evidence.Lease
	// Kube are Kubernetes's nodes by name, none where the bundle does not list them; KubeErr says why the list cannot be read.
	Kube    map[string]evidence.KubeNode
	KubeErr error
	// Nodes are those that were collected, sorted; NodesErr says why there are none.
	Nodes    []string
	NodesErr error
	// scope are the nodes that the bundle is about, empty for all.
	scope []string
	b     *evidence.Bundle
}

// Of returns the cluster of a bundle.
func Of(b *evidence.Bundle) *Cluster {
	type key struct{}
	return evidence.Shared(b, key{}, func() *Cluster {
		c := &Cluster{b: b}
		var leases []evidence.Lease
		leases, c.Odd, c.LeaseErr = b.Leases()
		c.Leases = slices.SortedStableFunc(slices.Values(leases), func(a, b evidence.Lease) int { return cmp.Compare(a.Node, b.Node) })
		for _, l := range b.LeasesIPv6() {
			if of, ok := l.OfIPv6(); ok {
				c.IPv6Only = append(c.IPv6Only, of)
			}
		}
		slices.SortStableFunc(c.IPv6Only, func(a, b evidence.Lease) int { return cmp.Compare(a.Node, b.Node) })
		var kube []evidence.KubeNode
		kube, c.KubeErr = b.KubeNodes()
		c.Kube = make(map[string]evidence.KubeNode, len(kube))
		for _, n := range kube {
			c.Kube[n.Name] = n
		}
		c.Nodes, c.NodesErr = b.Nodes()
		// Run has told whoever cannot read bundle.json; one that is not there is about all nodes.
		if info, err := b.Info(); err == nil {
			c.scope = info.Nodes
		}
		return c
	})
}

// HasLeases reports whether there is a file with leases, be it one that cannot be read.
func (c *Cluster) HasLeases() bool { return !errors.Is(c.LeaseErr, fs.ErrNotExist) }

// all are the leases of either family.
func (c *Cluster) all() []evidence.Lease {
	if len(c.IPv6Only) > 0 {
		return c.IPv6Only
	}
	return c.Leases
}

// OnlyIPv6 returns the finding of a detector that judges IPv4 alone, where all leases are of IPv6 alone; nil elsewhere.
func (c *Cluster) OnlyIPv6() []detectors.Finding {
	if !errors.Is(c.LeaseErr, evidence.ErrIPv6Only) {
		return nil
	}
	return []detectors.Finding{{Verdict: detectors.NotApplicable, Summary: evidence.ErrIPv6Only.Error() + ", and only IPv4 is judged"}}
}

// Collected reports whether the bundle has a folder for the node.
func (c *Cluster) Collected(node string) bool {
	_, found := slices.BinarySearch(c.Nodes, node)
	return found
}

// Wanted reports whether the bundle is about the node, and evidence can be had of it.
func (c *Cluster) Wanted(node string) bool {
	return c.unreachable(node) == "" && (len(c.scope) == 0 || slices.Contains(c.scope, node))
}

// unreachable says why no collector can run on a node, "" if one can.
func (c *Cluster) unreachable(node string) string {
	switch k := c.Kube[node]; {
	case c.Collected(node):
		return ""
	case k.OS != "" && k.OS != "linux":
		return k.OS
	case k.NoKubelet:
		return "no kubelet has ever reported of it"
	}
	return ""
}

// NotLookedAt says, for the end of a text, which nodes are judged from outside alone, since no evidence can be had of them or they
// have lost their lease; "" if there are none.
func (c *Cluster) NotLookedAt() string {
	var nodes []string
	for _, l := range c.all() {
		if why := c.unreachable(l.Node); why != "" {
			nodes = append(nodes, fmt.Sprintf("%s (%s)", l.Node, detectors.OneLine(why)))
		}
	}
	for _, u := range c.Unleased() {
		if u.Lost() {
			nodes = append(nodes, u.Node+" (it has lost its lease)")
		}
	}
	if len(nodes) == 0 {
		return ""
	}
	return "; not looked at, only from outside: " + Names(nodes)
}

// DoubtOdd adds to why the leases that cannot be relied on, but for those of nodes that have no part in the bundle.
func (c *Cluster) DoubtOdd(why *detectors.Doubts) {
	for _, o := range c.Odd {
		if !o.IPv6 && (o.Node == "" || c.Wanted(o.Node)) {
			why.Add(o.Node, oddLine(o))
		}
	}
}

// DoubtOddIPv6 adds those of which only what they say of IPv6 cannot be relied on.
func (c *Cluster) DoubtOddIPv6(why *detectors.Doubts) {
	for _, o := range c.Odd {
		if o.IPv6 && c.Wanted(o.Node) {
			why.Add(o.Node, oddLine(o))
		}
	}
}

func oddLine(o evidence.OddLease) detectors.Line {
	l := detectors.Unreadable("", o.Err)
	l.At = o.Pos
	return l
}

// DoubtUncollected adds to why the nodes that the bundle is about and that were not collected: those with a lease, of one
// backend if it is not "", and those that bundle.json names.
func (c *Cluster) DoubtUncollected(why *detectors.Doubts, backend string) {
	for _, l := range c.all() {
		if backend != "" && l.BackendType != backend {
			continue
		}
		if c.Wanted(l.Node) && !c.Collected(l.Node) {
			why.Add(l.Node, detectors.Line{File: path.Join("nodes", l.Node), Text: l.Node + " has a lease, but no folder in the bundle"})
		}
	}
	for _, node := range c.scope {
		if c.unreachable(node) != "" {
			continue
		}
		leased := slices.ContainsFunc(c.all(), func(l evidence.Lease) bool { return l.Node == node })
		if !leased && !c.Collected(node) {
			why.Add(node, detectors.Line{File: path.Join("nodes", node), Text: "the bundle is about " + node + ", but has no folder of it"})
		}
	}
}

// EachNode calls judge for each of the nodes, several side by side, with its place among them, until ctx ends. It adds to why how
// many were not judged then.
func EachNode(ctx context.Context, nodes []string, why *detectors.Doubts, judge func(i int, node string)) {
	var judged atomic.Int64
	parallel.Do(len(nodes), func(_, i int) {
		if ctx.Err() == nil {
			judge(i, nodes[i])
			judged.Add(1)
		}
	})
	if undone := len(nodes) - int(judged.Load()); undone > 0 {
		why.Add("", detectors.Line{File: "nodes", Text: fmt.Sprintf("stopped before %d of %d nodes were judged: %v", undone, len(nodes), context.Cause(ctx))})
	}
}

// LeaseLine quotes a lease of the vxlan backend.
func LeaseLine(l evidence.Lease) detectors.Line {
	return detectors.Line{File: l.File, At: l.Pos, Text: fmt.Sprintf("%s: %s, public IP %s, VNI %d, VtepMAC %s, from %s",
		l.Node, l.PodCIDR, l.PublicIP, l.VNI, l.VtepMAC, l.Source)}
}

// PodLeaseLine quotes what matters of a lease to pods, of whatever backend.
func PodLeaseLine(l evidence.Lease) detectors.Line {
	return detectors.Line{File: l.File, At: l.Pos, Text: detectors.OneLine(fmt.Sprintf("%s: %s, public IP %s, backend %s, from %s",
		l.Node, l.PodCIDR, l.PublicIP, l.BackendType, l.Source))}
}

// maxNamed is how many nodes a text names one by one.
const maxNamed = 8

// Names lists nodes, and says how many it leaves out.
func Names(nodes []string) string {
	if more := len(nodes) - maxNamed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(nodes[:maxNamed], ", "), more)
	}
	return strings.Join(nodes, ", ")
}
