package podsnat

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/netfault/netfault/detectors/iptables"
)

// ipvsDev is the interface that has the addresses of all Services in kube-proxy's ipvs mode (pkg/proxy/ipvs/proxier.go).
const ipvsDev = "kube-ipvs0"

// reportIPVS adds the node's finding if kube-proxy's ipvs mode marks what its pods send to Services, and rules rewrite what is marked and
// leaves for other nodes' pods. IPVS gives such packets their endpoint between INPUT and POSTROUTING (ip_vs_nat_xmit in
// net/netfilter/ipvs/ip_vs_xmit.c), so that they are asked for twice: to the Service, and with the mark to the pods.
func (n *node) reportIPVS() {
	i := slices.IndexFunc(n.paths.query.LocalRoutes, func(r iptables.LocalRoute) bool { return r.Dev == ipvsDev && r.Dst.IsSingleIP() })
	if i < 0 || len(n.findings) > 0 {
		return
	}
	service := n.paths.query.LocalRoutes[i].Dst
	for w, world := range n.Worlds {
		marks, mark := world.IPVSMarks()
		if marks == nil || !n.marksService(w, service, mark) {
			continue
		}
		if caught := n.withMark(mark, n.Worlds); len(caught) > 0 {
			f := n.reportService(service.Addr().String(), caught, []*iptables.Rule{marks})
			specs, tops := n.shields(n.everyPeer(), nil), n.topsOf(caught)
			if healed, err := n.withShields(tops, specs); err == nil && len(n.withMark(mark, healed)) == 0 {
				f.Remedy = n.shieldCommands(tops, specs)
			}
			return
		}
	}
}

// marksService reports whether a world's rules give a mark to what the node's pods send to a Service. What goes by sets of ports, whose
// entries are not known, does not count: other protocols tell the same.
func (n *node) marksService(world int, service netip.Prefix, mark uint32) bool {
	q := n.paths.query
	q.To = []iptables.Side{{Dev: ipvsDev, Addrs: []netip.Prefix{service}}}
	q.Sets = make(map[string]iptables.KnownSet, len(n.paths.query.Sets))
	for name, set := range n.paths.query.Sets {
		if name == iptables.ClusterIPSet {
			set.Has, set.Whole = []netip.Prefix{service}, true
		} else {
			set.Lacks = append(slices.Clone(set.Lacks), service)
		}
		q.Sets[name] = set
	}
	worlds := slices.Clone(n.Worlds)
	var err error
	if worlds[world], err = worlds[world].WithFirst("nat", "POSTROUTING", fmt.Sprintf("-m mark --mark %#x/%#x -j SNAT --to-source 0.0.0.1", mark, mark)); err != nil {
		return false
	}
	return slices.ContainsFunc(rewritten(iptables.Evaluate(q, worlds...)), func(o iptables.Outcome) bool {
		return o.To == "0.0.0.1" && len(o.Doubts) == 0
	})
}

// withMark returns the outcomes of what the node's pods send to others with a mark, and that is rewritten.
func (n *node) withMark(mark uint32, worlds []*iptables.Rules) []iptables.Outcome {
	q := n.paths.query
	q.Mark = mark
	return rewritten(iptables.Evaluate(q, worlds...))
}
