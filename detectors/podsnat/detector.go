// Package podsnat recognises rules that rewrite the source address of packets between pods of different nodes: the pods then
// see the address of a node in the place of each other's.
package podsnat

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"sync"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/internal/flannel"
	"github.com/netfault/netfault/detectors/internal/rules"
	"github.com/netfault/netfault/detectors/iptables"
)

var (
	//go:embed README.md
	english string
	//go:embed README.zh.md
	chinese string
)

// The cases, as they stand in Finding.Case.
const (
	// Dockerd: the rule is to the letter what dockerd writes with --ip-masq=true for the pods' bridge.
	Dockerd = "dockerd"
	// Rule: it is another rule, or several.
	Rule = "rule"
	// Service: what pods send to other nodes' pods directly is left alone, and what they send them through Services is not.
	Service = "service"
	// Detour: what pods send goes over a third node, whose rules rewrite it: routes lead there, or flannel's entries do.
	Detour = "detour"
)

// FlanneldMasquerades is the name of the other remedy of Dockerd: flanneld is started with --ip-masq.
const FlanneldMasquerades = "flanneld masquerades"

// Detector asks the rules of a node what becomes of packets between its pods and those of other nodes.
//
//   - The question is put to the rules of both worlds of iptables, nft and legacy, and of nft's own tables: what becomes of a new
//     connection's first packet from any address of the node's pod network, coming in by the interface that leads to it, to
//     any address of another node's, going out by the interface that the node's routes say.
//   - A rule that catches some traffic only (one port, one node, what another rule has marked) is a problem, too, and the
//     finding says which traffic. One that other rules shield, or that no such packet can reach, is none.
//   - The same is asked of what arrives at the node's pods from those of others, and of what passes the node between pods of two
//     others, since the routes of the first lead there, or the entries of its flannel link.
//   - The same is asked of what pods send to a few Services of kube-proxy's iptables mode, and from there to other nodes' pods.
//   - Routes are those of the tables main and local. Where policy rules lead such packets another way, the answer is unknown.
//     Only IPv4 is judged.
//   - Where a table of nft's own has a chain that can rewrite sources, and its rules are in no file, the answer is unknown.
var Detector = detectors.Detector{
	Name:  "pod-snat",
	Kind:  detectors.Cause,
	About: "rules rewrite the source address of traffic between pods of different nodes",
	Cases: []detectors.Case{
		{Name: Dockerd, Severity: detectors.Critical, About: "only rules that are to the letter dockerd's: `-A POSTROUTING -s POD-CIDR ! -o BRIDGE -j MASQUERADE`"},
		{Name: Rule, Severity: detectors.Critical, About: "any other MASQUERADE or SNAT that catches the traffic or a part of it"},
		{Name: Service, Severity: detectors.Critical, About: "kube-proxy masquerades what pods send through Services to other nodes' pods: `--masquerade-all`, or a `--cluster-cidr` that does not hold the pods"},
		{Name: Detour, Severity: detectors.Critical, About: "a route, or a neighbour or FDB entry, leads a node's packets for another's pods over a third node, and they are rewritten there"},
	},
	Needs: []detectors.Need{
		{File: evidence.InfoFile, Optional: true},
		{File: evidence.LeasesFile},
		{File: evidence.NodesFile, Optional: true},
		{File: detectors.NodeFiles + evidence.LinkFile, Optional: true},
		{File: detectors.NodeFiles + evidence.NeighFile, Optional: true, Nameless: true},
		{File: detectors.NodeFiles + evidence.FDBFile, Optional: true, Nameless: true},
		{File: detectors.NodeFiles + evidence.RouteFile},
		{File: detectors.NodeFiles + evidence.PolicyFile, Optional: true, Nameless: true},
		{File: detectors.NodeFiles + evidence.NFTFile, Nameless: true},
		{File: detectors.NodeFiles + evidence.LegacyFile, Nameless: true},
		{File: detectors.NodeFiles + evidence.IPTablesFile, Optional: true},
		{File: detectors.NodeFiles + evidence.NFTChainsFile, Optional: true},
		{File: detectors.NodeFiles + evidence.LegacyTablesFile, Optional: true},
		{File: detectors.NodeFiles + evidence.UnameFile, Optional: true, Nameless: true},
		{File: detectors.NodeFiles + evidence.NFTRulesetFile, Optional: true, Nameless: true},
		{File: detectors.NodeFiles + evidence.SubnetFile, Optional: true},
	},
	Writeup: detectors.Writeup{English: english, Chinese: chinese},
	Detect:  detect,
}

func detect(ctx context.Context, b *evidence.Bundle) []detectors.Finding {
	var why detectors.Doubts
	cluster := flannel.Of(b)
	for _, err := range []error{cluster.LeaseErr, cluster.NodesErr, cluster.KubeErr} {
		if err != nil {
			why.AddError("", err)
			return why.Findings()
		}
	}
	vteps, err := cluster.VTEPs()
	if err != nil {
		if _, left := errors.AsType[*flannel.LeftOverError](err); left {
			return []detectors.Finding{{Verdict: detectors.NotApplicable, Summary: err.Error()}}
		}
	}
	cluster.DoubtOdd(&why)
	for _, u := range cluster.Unleased() {
		if u.Lost() {
			continue // stale-vtep's lease-missing: no other node sends to its pods, or will soon
		}
		for _, l := range u.Lines() {
			why.Add(u.Node, l)
		}
	}
	if found := why.Findings(); len(cluster.Leases) == 1 && len(found) == 0 {
		return []detectors.Finding{{Verdict: detectors.NotApplicable, Summary: "there is one node only: no traffic passes between nodes"}}
	}
	cluster.DoubtUncollected(&why, "")
	var judged []node
	var names []string
	for _, l := range cluster.Leases {
		if cluster.Collected(l.Node) {
			judged, names = append(judged, node{lease: l}), append(names, l.Node)
		}
	}
	flannel.EachNode(ctx, names, &why, func(i int, _ string) { judged[i].read(b, cluster.Leases) })
	if ctx.Err() != nil {
		return why.Findings()
	}
	net := newNetwork(b, judged, cluster.Leases, vteps)
	flannel.EachNode(ctx, names, &why, func(i int, _ string) { judged[i].judge(net) })
	var found []detectors.Finding
	ruleCount := 0
	var podless []string
	for i := range judged {
		n := &judged[i]
		if n.podless {
			podless = append(podless, n.name())
		}
		found = append(found, n.findings...)
		if f := net.detourFinding(n); f != nil {
			found = append(found, *f)
		}
		for _, l := range n.doubts {
			why.Add(n.name(), l)
		}
		ruleCount += n.ruleCount
	}
	found = append(found, why.Findings()...)
	if len(found) > 0 {
		return found
	}
	withPods := len(judged) - len(podless)
	if withPods == 0 {
		return []detectors.Finding{{Verdict: detectors.NotApplicable, Summary: "no node has pods yet: there is no route to any node's own pod CIDR"}}
	}
	summary := fmt.Sprintf("none of the %d rules of %d nodes rewrites the source of traffic between their pods", ruleCount, withPods)
	if len(podless) > 0 {
		summary += fmt.Sprintf("; without pods of their own: %s", flannel.Names(podless))
	}
	return []detectors.Finding{{
		Verdict: detectors.Clean,
		Judged:  map[string]int{"nodes": withPods, "rules": ruleCount},
		Summary: summary + cluster.NotLookedAt(),
	}}
}

// node is one node as it is judged.
type node struct {
	lease evidence.Lease
	paths podPaths
	// Node is nil until readRules has been called.
	*rules.Node
	readRules func()
	ruleCount int
	// hasTraffic says that packets between pods pass the node by its routes, and podless that it has no pods whose packets could
	// be rewritten.
	hasTraffic, podless bool
	// relays are the nodes over which the routes lead its packets to others.
	relays []relay
	// astray are the frames of its flannel link that do not go where they should, by the gateway's address.
	astray func() map[netip.Addr]frame

	findings []detectors.Finding
	doubts   []detectors.Line
}

func (n *node) name() string { return n.lease.Node }

func (n *node) doubt(file, text string) {
	n.doubts = append(n.doubts, detectors.Line{File: file, Text: detectors.OneLine(text)})
}

// read reads the node's routes.
func (n *node) read(b *evidence.Bundle, leases []evidence.Lease) {
	var peers []evidence.Lease
	for _, l := range leases {
		if l.Node != n.name() {
			peers = append(peers, l)
		}
	}
	n.hasTraffic = n.readPaths(b, peers)
	release, err := b.Uname(n.name())
	if err != nil && !errors.Is(err, fs.ErrNotExist) && n.hasTraffic {
		n.doubts = append(n.doubts, detectors.Unreadable("", err))
	}
	n.paths.query.InAtPostrouting = err == nil && !release.Before(5, 7)
	n.readRules = sync.OnceFunc(func() { n.Node = rules.Read(b, n.name()) })
}

// judge sets the node's findings, if there is a problem, and its doubts.
func (n *node) judge(net *network) {
	if !n.hasTraffic {
		return
	}
	n.readRules()
	n.ruleCount = n.Len()
	n.doubts = append(n.doubts, n.Doubts...)
	if len(n.Worlds) == 0 {
		return
	}
	leaving, arriving := n.outcomes(n.Worlds)
	n.report(leaving, arriving)
	if len(n.findings) == 0 {
		n.reportServices()
		n.reportIPVS()
	}
	n.doubtUnknown(n, "", slices.Concat(leaving, arriving))
	net.follow(n)
}

// outcomes asks rules what becomes of the packets of the node's pods, and of those that arrive there.
func (n *node) outcomes(worlds []*iptables.Rules) (leaving, arriving []iptables.Outcome) {
	return iptables.Evaluate(n.paths.query, worlds...), iptables.Evaluate(n.paths.arriving(), worlds...)
}

// doubtUnknown adds what the rules of a node leave undecided, one line for each rule that is not understood; before says whose
// packets they are, if they are not those of its own pods.
func (n *node) doubtUnknown(at *node, before string, outcomes []iptables.Outcome) {
	said := map[iptables.Doubt]bool{}
	for _, o := range outcomes {
		if o.Verdict != iptables.Unknown {
			continue
		}
		for _, d := range o.Doubts {
			if said[d] {
				continue
			}
			said[d] = true
			text := fmt.Sprintf("%sundecided for %s: %s", before, o.Traffic, d)
			if d.Rule != nil {
				n.doubts = append(n.doubts, rules.Quote(at.name(), d.Rule, text))
			} else {
				n.doubt(evidence.NodeFile(at.name(), rules.File(at.Worlds[0].World())), text)
			}
		}
	}
}
