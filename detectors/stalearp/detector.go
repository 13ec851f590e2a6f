// Package stalearp recognises neighbour entries of pods' addresses that have an old link address, where flannel works by misses.
package stalearp

import (
	"context"
	_ "embed"
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

// EntryStale: an observer's neighbour entry of a pod's address has another link address than the pod's node.
const EntryStale = "entry-stale"

// Detector recognises neighbour entries of pods' addresses that have an old link address. flannel up to v0.8 has one route for the
// whole network and answers the kernel, which asks for each pod's address, from the leases (backend/vxlan/network.go at v0.7.1);
// it never changes an entry that is there.
//
//   - An entry counts where its address is the next hop itself: the observer routes it by flannel.<VNI> and without a gateway.
//     Today's flannel has a gateway for each peer, whose entry is stale-vtep's.
//   - An entry is right if it has the address that the lease announces, or that the link has: where these differ, stale-vtep says so.
//   - Entries without an address are normal: that flannel lets them fail and answers anew.
var Detector = detectors.Detector{
	Name:  "stale-arp",
	Kind:  detectors.Cause,
	About: "a neighbour entry of a pod's address has another link address than flannel.<VNI> of the pod's node (flannel up to v0.8)",
	Cases: []detectors.Case{
		{Name: EntryStale, Severity: detectors.Critical, About: "lease and link of a node agree, and the observer's entries of its pods have an old address"},
	},
	Needs: []detectors.Need{
		{File: evidence.InfoFile, Optional: true},
		{File: evidence.LeasesFile},
		{File: evidence.NodesFile, Optional: true},
		{File: detectors.NodeFiles + evidence.LinkFile},
		{File: detectors.NodeFiles + evidence.LinkLaterFile, Optional: true},
		{File: detectors.NodeFiles + evidence.RouteFile, Optional: true},
		{File: detectors.NodeFiles + evidence.NeighFile},
	},
	Writeup: detectors.Writeup{English: english, Chinese: chinese},
	Detect:  detect,
}

func detect(ctx context.Context, b *evidence.Bundle) []detectors.Finding {
	var why detectors.Doubts
	cluster := flannel.Of(b)
	vteps, instead := cluster.Comparable(&why)
	if instead != nil {
		return instead
	}

	c := newComparison(b, vteps)
	c.observeAll(ctx, &why)
	var found []detectors.Finding
	entries := 0
	for i := range c.observations {
		o := &c.observations[i]
		entries += o.judged
		for _, s := range o.stale {
			found = append(found, c.finding(o, s))
		}
		for _, d := range o.doubts {
			why.Add(o.vtep.Node(), d)
		}
	}
	found = append(found, why.Findings()...)
	if len(found) > 0 {
		return found
	}
	return []detectors.Finding{{
		Verdict: detectors.Clean,
		Judged:  map[string]int{"nodes": len(c.observations), "entries": entries},
		Summary: fmt.Sprintf("of the %d neighbour entries that %d nodes have for addresses of other nodes' subnets, none sends packets to an old link address",
			entries, len(c.observations)),
	}}
}
