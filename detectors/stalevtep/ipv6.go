package stalevtep

import (
	"context"
	"fmt"
	"slices"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/internal/flannel"
)

// judgeIPv6 returns what is wrong with the IPv6 links of a dual stack, and adds to why what ipv4, which has read the same files, has
// not added. Its findings break nothing that probes see: these are of IPv4.
func (c *comparison) judgeIPv6(ctx context.Context, ipv4 *comparison, why *detectors.Doubts) []detectors.Finding {
	if slices.ContainsFunc(ipv4.vteps, func(v flannel.VTEP) bool { return v.LinkIPv6 }) {
		c.cluster.DoubtOddIPv6(why)
	}
	if len(c.vteps) == 0 {
		return nil
	}
	c.observeAll(ctx)
	found := slices.Concat(c.sharedFindings(), c.nodeFindings(), c.pairFindings())
	for i := range found {
		found[i].Breaks = nil
	}
	doubted := map[string]bool{}
	for i := range ipv4.observed {
		doubted[ipv4.vteps[i].Node()] = len(ipv4.observed[i].errs) > 0 || !ipv4.observed[i].done
	}
	for i := range c.vteps {
		if v := &c.vteps[i]; doubted[v.Node()] {
			c.observed[i].errs, c.observed[i].done = nil, true
		}
	}
	c.addDoubts(ctx, why)
	for i := range c.vteps {
		if v := &c.vteps[i]; v.LinkErr != nil && !unread(ipv4, v.Node()) {
			why.AddError(v.Node(), v.LinkErr)
		}
	}
	return found
}

// unread reports whether a node's IPv4 link could not be read either, which is a doubt already.
func unread(ipv4 *comparison, node string) bool {
	return slices.ContainsFunc(ipv4.vteps, func(v flannel.VTEP) bool { return v.Node() == node && v.LinkErr != nil })
}

// withIPv6 adds the findings about IPv6 to the others. Where both links of a node have the same wrong with them, it is one finding.
func withIPv6(found, ipv6 []detectors.Finding) []detectors.Finding {
	for _, f := range ipv6 {
		i := slices.IndexFunc(found, func(o detectors.Finding) bool { return o.Case == f.Case && o.Node == f.Node && o.Peer == f.Peer })
		if i < 0 {
			found = append(found, f)
			continue
		}
		both := &found[i]
		both.Summary += "; the same is wrong with IPv6"
		both.Expected += ", " + f.Expected
		both.Actual += ", " + f.Actual
		both.Evidence = append(both.Evidence, f.Evidence...)
		both.Remedy = detectors.AddCommands(both.Remedy, f.Remedy...)
	}
	return found
}

// unjudgedIPv6 says, for the end of a text, which nodes have an IPv6 link of which their lease says nothing; "" if there are none.
func (c *comparison) unjudgedIPv6(ipv6 *comparison) string {
	if len(ipv6.vteps) == 0 && slices.ContainsFunc(c.vteps, func(v flannel.VTEP) bool { return v.Lease.IPv6 != evidence.LeaseIPv6{} }) {
		return "; not judged: IPv6, of which leases are left over: no node has a flannel-v6.<VNI>"
	}
	leased := map[string]bool{}
	for i := range ipv6.vteps {
		leased[ipv6.vteps[i].Node()] = true
	}
	var nodes []string
	for i := range c.vteps {
		if v := &c.vteps[i]; v.LinkIPv6 && !leased[v.Node()] {
			nodes = append(nodes, v.Node())
		}
	}
	if len(nodes) == 0 {
		return ""
	}
	return "; not judged: flannel-v6.<VNI>, of which the lease says nothing, on " + flannel.Names(nodes)
}

// detectIPv6Only judges a cluster of IPv6 alone.
func detectIPv6Only(ctx context.Context, b *evidence.Bundle, cluster *flannel.Cluster) []detectors.Finding {
	if len(cluster.IPv6Only) == 0 {
		return []detectors.Finding{{Verdict: detectors.NotApplicable, Summary: flannel.ErrNoVXLAN.Error()}}
	}
	var why detectors.Doubts
	vteps, instead := cluster.ComparableIPv6(&why)
	if instead != nil {
		return instead
	}
	c := newComparison(b, cluster, vteps)
	found := c.findings(ctx, &why)
	if found = append(found, why.Findings()...); len(found) > 0 {
		return found
	}
	pairs := c.observers() * (len(vteps) - 1)
	return []detectors.Finding{{
		Verdict: detectors.Clean,
		Judged:  map[string]int{"nodes": c.observers(), "ipv6-pairs": pairs},
		Summary: fmt.Sprintf("of IPv6, which is all there is, link, lease, neighbour and FDB entries agree for all %d ordered pairs of %d nodes", pairs, len(vteps)) +
			cluster.NotLookedAt(),
	}}
}
