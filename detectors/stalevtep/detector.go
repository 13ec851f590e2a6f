// Package stalevtep recognises VXLAN tunnel end points of flannel that cannot be reached since the places that hold their link
// address disagree.
package stalevtep

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/internal/flannel"
)

var (
	//go:embed README.md
	english string
	//go:embed README.zh.md
	chinese string
)

// The cases, as they stand in Finding.Case.
const (
	// ObserverStale: an observer's neighbour entry for a peer has another address than the peer's lease and link.
	ObserverStale = "observer-stale"
	// NeighbourMissing: the observer has no neighbour entry for a peer, or one without an address.
	NeighbourMissing = "neighbour-missing"
	// FDBMissing: the neighbour entry is right, but the observer has no FDB entry for its address.
	FDBMissing = "fdb-missing"
	// FDBElsewhere: the neighbour entry is right, but its address is forwarded to another node.
	FDBElsewhere = "fdb-elsewhere"
	// RouteMissing: the observer's entries for a peer are there, but it has no route to the peer's pods.
	RouteMissing = "route-missing"
	// ObserverWide: more than maxPairs entries of one observer are wrong or missing.
	ObserverWide = "observer-wide"
	// LeaseStale: a node's lease announces another address than its link has.
	LeaseStale = "lease-stale"
	// VTEPMissing: a leased node has no flannel.<VNI>.
	VTEPMissing = "vtep-missing"
	// VTEPDown: a leased node's flannel.<VNI> is not up.
	VTEPDown = "vtep-down"
	// VTEPFlushed: an observer's flannel.<VNI> is up, and has lost the routes, the neighbour entries and mayhap the address that
	// flanneld had set on it.
	VTEPFlushed = "vtep-flushed"
	// LeaseMissing: a node of flannel's has no lease, since its Kubernetes Node lost the annotations, or etcd the lease.
	LeaseMissing = "lease-missing"
	// LeaseShared: several leases have the same VTEP MAC, public IP or pod CIDR.
	LeaseShared = "lease-shared"
)

// Detector recognises VXLAN tunnel end points of flannel that cannot be reached since the places that hold their link
// address disagree: for every ordered pair of an observer and a peer, the peer's live link, the peer's lease, and the
// observer's neighbour and FDB entry. Which of them differs decides the case, and with it on which node the remedy is.
//
//   - One cause is one finding. Where a lease is stale, the observers that follow it are not reported, nor are the entries
//     that the node itself lost when its link was made anew; where a link is missing or down, not the entries that went
//     with it. FDB entries to which no lease and neighbour lead are normal, since flannel never removes them.
//   - Peers whose pod CIDR the observer routes by another device need no entries (flannel's DirectRouting, vxlan_network.go:
//     handleSubnetEvents) and are passed over.
//   - Where several leases share a VTEP IP, a MAC or a public IP, an entry is right if it is right for any of them: that is
//     another fault than a stale entry.
//   - Of a dual stack, flannel-v6.<VNI> is judged in the same way. What is wrong with both links is one finding.
//
// It reads each node's neighbours and FDB once and costs O(nodes) memory and O(pairs) time.
var Detector = detectors.Detector{
	Name:  "stale-vtep",
	Kind:  detectors.Cause,
	About: "flannel.<VNI>'s link address differs between the node, its lease and the other nodes' neighbour and FDB entries",
	Cases: []detectors.Case{
		{Name: ObserverStale, Severity: detectors.Critical, About: "lease and link agree, the observer's neighbour entry differs"},
		{Name: NeighbourMissing, Severity: detectors.Critical, About: "the observer has no neighbour entry, or one without an address (INCOMPLETE, FAILED)"},
		{Name: FDBMissing, Severity: detectors.Critical, About: "the neighbour entry is right, its address has no FDB entry"},
		{Name: FDBElsewhere, Severity: detectors.Critical, About: "the neighbour entry is right, its address is forwarded to another node only"},
		{Name: RouteMissing, Severity: detectors.Critical, About: "the observer's entries are there, and it has no route to the node's pods"},
		{Name: ObserverWide, Severity: detectors.Critical, About: "more than 32 entries of one observer are wrong or missing: the observer is at fault"},
		{Name: LeaseStale, Severity: detectors.Critical, About: "the lease announces another address than the link has, so the others follow a wrong one"},
		{Name: VTEPMissing, Severity: detectors.Critical, About: "the node has a lease and no `flannel.<VNI>`"},
		{Name: VTEPDown, Severity: detectors.Critical, About: "the node's `flannel.<VNI>` is not up"},
		{Name: VTEPFlushed, Severity: detectors.Critical, About: "the node's `flannel.<VNI>` is up and has lost its routes and neighbour entries, maybe its address, as when it was down for a moment"},
		{Name: LeaseMissing, Severity: detectors.Critical, About: "the node's Kubernetes Node lost flannel's annotations, or etcd its lease, so that the others have no route to its pods; a warning as long as they have it"},
		{Name: LeaseShared, Severity: detectors.Critical, About: "leases of several nodes have one VTEP MAC, one public IP, or pod CIDRs that overlap"},
	},
	Needs: []detectors.Need{
		{File: evidence.InfoFile, Optional: true},
		{File: evidence.LeasesFile},
		{File: evidence.NodesFile, Optional: true},
		{File: detectors.NodeFiles + evidence.LinkFile},
		{File: detectors.NodeFiles + evidence.LinkLaterFile, Optional: true},
		{File: detectors.NodeFiles + evidence.AddrFile, Optional: true},
		{File: detectors.NodeFiles + evidence.RouteFile, Optional: true},
		{File: detectors.NodeFiles + evidence.NeighFile},
		{File: detectors.NodeFiles + evidence.FDBFile},
		{File: detectors.NodeFiles + evidence.SubnetFile, Optional: true},
	},
	Writeup: detectors.Writeup{English: english, Chinese: chinese},
	Detect:  detect,
}

func detect(ctx context.Context, b *evidence.Bundle) []detectors.Finding {
	var why detectors.Doubts
	cluster := flannel.Of(b)
	if errors.Is(cluster.LeaseErr, evidence.ErrIPv6Only) {
		return detectIPv6Only(ctx, b, cluster)
	}
	vteps, instead := cluster.Comparable(&why)
	if instead != nil {
		return instead
	}
	c := newComparison(b, cluster, vteps)
	found := c.findings(ctx, &why)
	c.doubtVNIs(&why)
	ipv6 := newComparison(b, cluster, cluster.VTEPsIPv6())
	found = withIPv6(found, ipv6.judgeIPv6(ctx, c, &why))
	found = append(found, why.Findings()...)
	if len(found) > 0 {
		return found
	}
	pairs := c.observers() * (len(vteps) - 1)
	clean := detectors.Finding{
		Verdict: detectors.Clean,
		Judged:  map[string]int{"nodes": c.observers(), "pairs": pairs},
		Summary: fmt.Sprintf("link, lease, neighbour and FDB entries agree for all %d ordered pairs of %d nodes", pairs, len(vteps)),
	}
	if n := len(ipv6.vteps); n > 0 {
		pairs := ipv6.observers() * (n - 1)
		clean.Judged["ipv6-pairs"] = pairs
		clean.Summary += fmt.Sprintf(", and of IPv6 for all %d of %d nodes", pairs, n)
	}
	clean.Summary += c.unjudgedRoutes() + cluster.NotLookedAt() + c.unjudgedIPv6(ipv6)
	return []detectors.Finding{clean}
}
