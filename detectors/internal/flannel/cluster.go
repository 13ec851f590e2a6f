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
	// Leases are sorted by node; LeaseErr says why there are none.
	Leases   []evidence.Lease
	LeaseErr error
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
		c.Leases, c.LeaseErr = b.Leases()
		slices.SortFunc(c.Leases, func(a, b evidence.Lease) int { return cmp.Compare(a.Node, b.Node) })
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

// Collected reports whether the bundle has a folder for the node.
func (c *Cluster) Collected(node string) bool {
	_, found := slices.BinarySearch(c.Nodes, node)
	return found
}

// Wanted reports whether the bundle is about the node.
func (c *Cluster) Wanted(node string) bool {
	return len(c.scope) == 0 || slices.Contains(c.scope, node)
}

// DoubtUncollected adds to why the nodes that the bundle is about and that were not collected: those with a lease, of one
// backend if it is not "", and those that bundle.json names.
func (c *Cluster) DoubtUncollected(why *detectors.Doubts, backend string) {
	for _, l := range c.Leases {
		if backend != "" && l.BackendType != backend {
			continue
		}
		if c.Wanted(l.Node) && !c.Collected(l.Node) {
			why.Add(l.Node, detectors.Line{File: path.Join("nodes", l.Node), Text: l.Node + " has a lease, but no folder in the bundle"})
		}
	}
	for _, node := range c.scope {
		leased := slices.ContainsFunc(c.Leases, func(l evidence.Lease) bool { return l.Node == node })
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

// Restart returns the command that restarts flanneld on the node of l: through its service where flanneld keeps
// its leases in etcd, and by deleting its pod, which the DaemonSet (of kube-flannel.yml) makes anew, in Kubernetes. At its
// start flanneld makes flannel.<VNI> anew or keeps it, announces its link address in the lease, and writes the route,
// neighbour and FDB entry of every other lease (flannel pkg/backend/vxlan: RegisterNetwork, handleSubnetEvents).
func Restart(l evidence.Lease, why string) detectors.Command {
	if l.Source == evidence.FromEtcd {
		return detectors.Command{Node: l.Node, Argv: []string{"systemctl", "restart", "flanneld"}, Why: why}
	}
	return detectors.Command{
		Argv: []string{"kubectl", "-n", "kube-flannel", "delete", "pod", "-l", "app=flannel",
			"--field-selector", "spec.nodeName=" + l.Node},
		Why: why,
	}
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
