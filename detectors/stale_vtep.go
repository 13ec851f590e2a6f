package detectors

import (
	"context"
	"errors"
	"fmt"

	"github.com/netfault/netfault/detectors/evidence"
)

// The cases of StaleVTEP, as they stand in Finding.Case.
const (
	// ObserverStale: an observer's neighbour entry for a peer has another address than the peer's lease and link.
	ObserverStale = "observer-stale"
	// LeaseStale: a node's lease announces another address than its link has.
	LeaseStale = "lease-stale"
	// FDBMissing: the neighbour entry is right, but the observer has no FDB entry for its address.
	FDBMissing = "fdb-missing"
	// FDBElsewhere: the neighbour entry is right, but its address is forwarded to another node.
	FDBElsewhere = "fdb-elsewhere"
	// NeighbourMissing: the observer has no neighbour entry for a peer, or one without an address.
	NeighbourMissing = "neighbour-missing"
	// ObserverWide: more than maxPairs entries of one observer are wrong or missing.
	ObserverWide = "observer-wide"
	// VTEPMissing: a leased node has no flannel.<VNI>.
	VTEPMissing = "vtep-missing"
	// VTEPDown: a leased node's flannel.<VNI> is not up.
	VTEPDown = "vtep-down"
)

// StaleVTEP recognises VXLAN tunnel end points of flannel that cannot be reached since the places that hold their link
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
//   - Only IPv4 is judged: flannel-v6.<VNI> is passed over.
//
// It reads each node's neighbours and FDB once and costs O(nodes) memory and O(pairs) time.
var StaleVTEP = register(Detector{
	Name:   "stale-vtep",
	Kind:   Cause,
	About:  "flannel.<VNI>'s link address differs between the node, its lease and the other nodes' neighbour and FDB entries",
	Detect: detectStaleVTEP,
})

func detectStaleVTEP(ctx context.Context, b *evidence.Bundle) []Finding {
	var why doubts
	vteps, err := readVTEPs(ctx, b, &why)
	if errors.Is(err, errNoVXLAN) {
		return []Finding{{Verdict: NotApplicable, Summary: err.Error()}}
	}
	if err != nil {
		why.add("", unusable("", err))
		return why.findings()
	}
	c := newComparison(b, vteps)
	c.observeAll(ctx)

	found := append(c.nodeFindings(), c.pairFindings()...)
	c.addDoubts(ctx, &why)
	found = append(found, why.findings()...)
	if len(found) > 0 {
		return found
	}
	n := len(vteps)
	return []Finding{{
		Verdict: Clean,
		Summary: fmt.Sprintf("link, lease, neighbour and FDB entries agree for all %d ordered pairs of %d nodes", n*(n-1), n),
	}}
}
