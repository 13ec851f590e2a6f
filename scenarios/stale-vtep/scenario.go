// Package stalevtep is incident 1: a node keeps the old link address of another node's flannel.1.
package stalevtep

import (
	"context"
	_ "embed"
	"fmt"

	"golang.org/x/mod/semver"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/stalevtep"
	"github.com/netfault/netfault/framework/drops"
	"github.com/netfault/netfault/framework/fault"
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

// gatewaysSince is the first flannel that routes by gateways, whose neighbour entries it writes itself.
const gatewaysSince = "v0.9.0"

// Scenario brings a stale neighbour entry about as in life: flannel's DaemonSet is deleted, the client's node loses its
// flannel.1, and the DaemonSet comes back without the server's node.
//
//	client node (first)                 server node (second)
//	  pod ── cni0 ── flannel.1  ══════  flannel.1 ── cni0 ── pod
//	         new MAC, new lease         no flanneld: still sends to the old MAC
var Scenario = fault.Scenario{
	Name:     "stale-vtep",
	Summary:  "a node sends to the old MAC of another node's flannel.1",
	Writeup:  detectors.Writeup{English: english, Chinese: chinese},
	Training: detectors.Writeup{English: training, Chinese: trainingChinese},
	Detector: stalevtep.Detector,
	Unavailable: func(l lab.Lab) string {
		if v := l.Flannel().Version(); semver.Compare(v, gatewaysSince) < 0 {
			return fmt.Sprintf("flannel %s has no neighbour entry for another node's flannel.1; stale-arp is this fault there", v)
		}
		return ""
	},
	Inject:   inject,
	MustFail: fault.Between(client, server),
	Deaths: func(l lab.Lab) []fault.Death {
		return []fault.Death{{Machine: client(l).Name(), Class: drops.WrongLinkAddress}}
	},
	Want: func(l lab.Lab) []fault.Subject {
		return []fault.Subject{{Case: "observer-stale", Node: server(l).Name(), Peer: client(l).Name()}}
	},
	Restarts:        true,
	EndsWithRestart: true,
	Attempts: func(l lab.Lab) []fault.Attempt {
		return []fault.Attempt{{
			Name: "the incident's own remedy",
			Commands: []detectors.Command{{
				Node: server(l).Name(), Argv: []string{"ip", "neigh", "del", client(l).VTEP().String(), "dev", "flannel.1"},
				Why: "delete the wrong ARP entry",
			}},
			// The server's node has no flanneld that writes the entry anew.
			Want: func(l lab.Lab) []fault.Subject {
				return []fault.Subject{{Case: "neighbour-missing", Node: server(l).Name(), Peer: client(l).Name()}}
			},
		}}
	},
}

// client is the node of the incident's client, whose flannel.1 is lost.
func client(l lab.Lab) lab.Node { return l.Nodes()[0] }

// server is the node of the incident's MySQL server, which keeps the old entry.
func server(l lab.Lab) lab.Node { return l.Nodes()[1] }

func inject(ctx context.Context, l lab.Lab, say func(string)) error {
	say("delete flannel's DaemonSet; its interfaces stay")
	if err := l.Flannel().Delete(ctx); err != nil {
		return err
	}
	say(client(l).Name() + "# ip link del flannel.1")
	if _, err := machine.Output(ctx, client(l), "ip", "link", "del", "flannel.1"); err != nil {
		return err
	}
	// Where flannel keeps the address of flannel.1 with the node, it is lost with the node's registration.
	if err := l.Flannel().ForgetLink(ctx, client(l).Name()); err != nil {
		return err
	}
	say("create the DaemonSet again, but not on " + server(l).Name())
	var nodes []string
	for _, n := range l.Nodes() {
		if n.Name() != server(l).Name() {
			nodes = append(nodes, n.Name())
		}
	}
	return l.Flannel().Create(ctx, nodes...)
}
