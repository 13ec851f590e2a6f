package detectors

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/iptables"
)

// The cases of PodSNAT, as they stand in Finding.Case.
const (
	// SNATByDockerd: the rule is to the letter what dockerd writes with --ip-masq=true for the pods' bridge.
	SNATByDockerd = "dockerd"
	// SNATByRule: it is another rule, or several.
	SNATByRule = "rule"
)

// FlanneldMasquerades is the name of the other remedy of SNATByDockerd: flanneld is started with --ip-masq.
const FlanneldMasquerades = "flanneld masquerades"

// PodSNAT recognises rules that rewrite the source address of packets between pods of different nodes: the pods then see
// the address of a node in the place of each other's.
//
//   - The question is put to the rules of both worlds, nft and legacy, by package iptables: what becomes of a new
//     connection's first packet from any address of the node's pod network, coming in by the interface that leads to it, to
//     any address of another node's, going out by the interface that the node's routes say.
//   - A rule that catches some traffic only (one port, one node, what another rule has marked) is a problem, too, and the
//     finding says which traffic. One that other rules shield, or that no such packet can reach, is none.
//   - Routes are those of the tables main and local: policy routing is not looked at. Only IPv4 is judged.
//   - The rules of nft's own tables are in no file. Where one has a chain that can rewrite sources, the answer is unknown.
var PodSNAT = register(Detector{
	Name:   "pod-snat",
	Kind:   Cause,
	About:  "iptables rules rewrite the source address of traffic between pods of different nodes",
	Detect: detectPodSNAT,
})

func detectPodSNAT(ctx context.Context, b *evidence.Bundle) []Finding {
	var why doubts
	leases, err := b.Leases()
	if err != nil {
		why.add("", unusable("", err))
		return why.findings()
	}
	folders, err := b.Nodes()
	if err != nil {
		why.add("", unusable("", err))
		return why.findings()
	}
	slices.SortFunc(leases, func(a, b evidence.Lease) int { return strings.Compare(a.Node, b.Node) })

	judged := make([]snatNode, len(leases))
	parallel(len(leases), func(_, i int) {
		n := &judged[i]
		n.lease = leases[i]
		if _, collected := slices.BinarySearch(folders, n.name()); !collected {
			n.doubt(path.Join("nodes", n.name()), n.name()+" has a lease, but no folder in the bundle")
			return
		}
		if ctx.Err() != nil {
			n.doubt(path.Join("nodes", n.name()), "not judged: "+ctx.Err().Error())
			return
		}
		n.judge(b, leases)
	})
	var found []Finding
	rules := 0
	for i := range judged {
		n := &judged[i]
		if n.finding != nil {
			found = append(found, *n.finding)
		}
		for _, l := range n.doubts {
			why.add(n.name(), l)
		}
		rules += n.rules
	}
	found = append(found, why.findings()...)
	if len(found) > 0 {
		return found
	}
	return []Finding{{
		Verdict: Clean,
		Summary: fmt.Sprintf("none of the %d rules of %d nodes rewrites the source of traffic between their pods", rules, len(leases)),
	}}
}

// snatNode is one node as it is judged.
type snatNode struct {
	lease evidence.Lease
	paths podPaths
	// worlds are the rules that could be read.
	worlds []*iptables.Rules
	rules  int
	// nft are those of them that are nf_tables' table ip nat and its like, nil if there are none.
	nft *iptables.Rules

	finding *Finding
	doubts  []Line
}

func (n *snatNode) name() string { return n.lease.Node }

func (n *snatNode) doubt(file, text string) {
	n.doubts = append(n.doubts, Line{File: file, Text: oneLine(text)})
}

// judge sets the node's finding, if there is a problem, and its doubts.
func (n *snatNode) judge(b *evidence.Bundle, leases []evidence.Lease) {
	var peers []evidence.Lease
	for _, l := range leases {
		if l.Node != n.name() {
			peers = append(peers, l)
		}
	}
	if len(peers) == 0 {
		return
	}
	if !n.readPaths(b, peers) {
		return
	}
	n.readRules(b)
	n.readChains(b)
	if len(n.worlds) == 0 {
		return
	}
	outcomes := iptables.Evaluate(n.paths.query, n.worlds...)
	n.report(outcomes)
	n.doubtUnknown(outcomes)
}

// doubtUnknown adds what the rules leave undecided: one line for each rule that is not understood.
func (n *snatNode) doubtUnknown(outcomes []iptables.Outcome) {
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
			file := ruleFile(n.worlds[0].World())
			if d.Rule != nil {
				file = ruleFile(d.Rule.World())
			}
			n.doubt(evidence.NodeFile(n.name(), file), fmt.Sprintf("undecided for %s: %s", o.Traffic, d))
		}
	}
}
