// Package stalearp is incident 1 to the letter, with flannel of its time.
package stalearp

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/stalearp"
	"github.com/netfault/netfault/framework/drops"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/flanneld"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
)

var (
	//go:embed README.md
	english string
	//go:embed README.zh.md
	chinese string
	//go:embed training.md
	training string
	//go:embed training.zh.md
	trainingChinese string
)

// Scenario is the incident as it was written down: flannel is deleted, the client's node loses its flannel.1, and flannel comes
// back on all nodes.
//
//	client node (first)                     server node (second)
//	  pod ── docker0 ── flannel.1  ══════  flannel.1 ── docker0 ── pod
//	             new MAC, new lease         flanneld runs, and the entry of the client pod's address has the old MAC
var Scenario = fault.Scenario{
	Name:     "stale-arp",
	Summary:  "a node's ARP entries of another node's pods have an old MAC (flannel v0.7.1, by a stand-in)",
	Writeup:  detectors.Writeup{English: english, Chinese: chinese},
	Training: detectors.Writeup{English: training, Chinese: trainingChinese},
	Detector: stalearp.Detector,
	Pods:     lab.DockerBridge,
	Flannel:  flanneld.Version,
	Inject:   inject,
	MustFail: fault.Crossing(client),
	Deaths: func(l lab.Lab) []fault.Death {
		return []fault.Death{{Machine: client(l).Name(), Class: drops.WrongLinkAddress}}
	},
	Exercise: exercise,
	Want: func(l lab.Lab) []fault.Subject {
		var all []fault.Subject
		for _, n := range observers(l) {
			all = append(all, fault.Subject{Case: stalearp.EntryStale, Node: n.Name(), Peer: client(l).Name()})
		}
		return all
	},
	Restarts:     true,
	WantsHealthy: true,
	Lasts:        lasts,
	Attempts: func(l lab.Lab) []fault.Attempt {
		restart := fault.RestartFlanneld(l, server(l), "it reads the leases again, and leaves the entries that are there")
		return []fault.Attempt{{Name: "a restart of flanneld on the server's node", Commands: []detectors.Command{restart}}}
	},
}

// client is the node of the incident's client, whose flannel.1 is lost.
func client(l lab.Lab) lab.Node { return l.Nodes()[0] }

// server is the node of the incident's MySQL server.
func server(l lab.Lab) lab.Node { return l.Nodes()[1] }

// observers are the nodes that have talked to the client's: the server's, and here all others.
func observers(l lab.Lab) []lab.Node { return l.Nodes()[1:] }

func inject(ctx context.Context, l lab.Lab, say func(string)) error {
	if err := talk(ctx, l, say); err != nil {
		return err
	}
	say("delete flannel; its interfaces stay")
	if err := l.Flannel().Delete(ctx); err != nil {
		return err
	}
	say(client(l).Name() + "# ip link del flannel.1")
	if _, err := machine.Output(ctx, client(l), "ip", "link", "del", "flannel.1"); err != nil {
		return err
	}
	// The observers come first, so that they hear of the new lease as a change, and keep the forwarding row of the old one.
	var names []string
	for _, n := range observers(l) {
		names = append(names, n.Name())
	}
	say(fmt.Sprintf("create flannel again on all nodes: %s, and %s", strings.Join(names, ", "), client(l).Name()))
	if err := l.Flannel().Create(ctx, names...); err != nil {
		return err
	}
	return l.Flannel().Create(ctx, client(l).Name())
}
