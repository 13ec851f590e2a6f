package scenarios_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing/fstest"

	. "github.com/onsi/ginkgo/v2"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/podsnat"
	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/probe"
)

var _ = casesOf(podsnat.Detector,
	setCase{
		"one peer and one port", fault.Subject{Case: podsnat.Rule, Node: "n2", Peer: "n1"},
		fromNode2ToNode1, commands(1,
			"iptables-nft -w -t nat -I POSTROUTING -s 10.244.2.0/24 -d 10.244.1.0/24 -p tcp -m tcp --dport 8080 -j MASQUERADE"),
	},
	setCase{
		"a mark set in another table", fault.Subject{Case: podsnat.Rule, Node: "n2", Peer: "n1"},
		fromNode2ToNode1, commands(1,
			"iptables-nft -w -t mangle -A PREROUTING -i cni0 -d 10.244.1.0/24 -p tcp -j MARK --set-xmark 0x80/0x80",
			"iptables-nft -w -t nat -N HIDE",
			"iptables-nft -w -t nat -A HIDE -m mark --mark 0x80/0x80 -j MASQUERADE",
			"iptables-nft -w -t nat -I POSTROUTING -j HIDE"),
	},
	setCase{
		"the other world, all peers", fault.Subject{Case: podsnat.Rule, Node: "n2"},
		fault.And(fault.Kind(evidence.ProbePod), fault.From(fault.Nth(1)), fault.Overlay),
		commands(1, "iptables-legacy -w -t nat -A POSTROUTING ! -d 10.244.2.0/24 -o flannel.1 -j SNAT --to-source 10.244.2.1"),
	},
	// Probes of a Service take any source for right.
	setCase{
		"what goes through Services", fault.Subject{Case: podsnat.Service, Node: "n2"}, nil,
		commands(1, "iptables-nft -w -t nat -I KUBE-SERVICES -d 10.96.1.0/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ"),
	},
	setCase{
		"what arrives at a node's pods", fault.Subject{Case: podsnat.Rule, Node: "n2"},
		fault.And(fault.Kind(evidence.ProbePod), fault.To(fault.Nth(1)), fault.Overlay),
		commands(1, "iptables-nft -w -t nat -A POSTROUTING ! -s 10.244.2.0/24 -o cni0 -j MASQUERADE"),
	},
)

// overThirdNode is a route of the first node to the third's pods that leads over the second.
var overThirdNode = setCase{
	"a route over a third node", fault.Subject{Case: podsnat.Detour, Node: "n1", Peer: "n3"},
	changedOrUnanswered, commands(0, "ip route replace 10.244.3.0/24 via 10.244.2.0 dev flannel.1 onlink"),
}

// Where the source changes is seen in packets, too.
var _ = func() bool {
	setByHand = append(setByHand, podsnat.Detector.Name+"/"+overThirdNode.want.Case)
	return Describe("case of pod-snat", thoroughly("cases", overThirdNode.want.Case), func() {
		It(overThirdNode.name+" heals by its remedy", func(ctx context.Context) {
			s := overThirdNode.scenario(podsnat.Detector)
			s.Exercise = seenOnThirdNode
			liveThrough(ctx, s)
		})
	})
}()

// changedOrUnanswered are the probes that a detour from the first node's pods to the third's breaks: these see another caller, and
// answers to their own calls are lost.
func changedOrUnanswered(l lab.Lab, p evidence.Probe) bool {
	changed := fault.And(fault.Kind(evidence.ProbePod), fault.From(fault.Nth(0)), fault.To(fault.Nth(2)))
	lost := fault.And(fault.Overlay, fault.From(fault.Nth(2)), fault.To(fault.Nth(0)))
	return changed(l, p) || lost(l, p)
}

// seenOnThirdNode calls the third node's pod from the first's, and looks at what crosses the second's flannel.1: nothing on a
// healthy lab. Where it is rewritten there, it comes with the pod's address, and goes on with that of flannel.1.
func seenOnThirdNode(ctx context.Context, l lab.Lab) (fault.Seen, error) {
	client, third, server := l.Nodes()[0], l.Nodes()[1], l.Nodes()[2]
	const dev = "flannel.1"
	pcap, err := fault.Captured(ctx, l, third, dev, func() error {
		_, err := probe.From(ctx, l, client.Pod.Machine, agent.Plan{Targets: []agent.Target{{
			Kind: evidence.ProbePod, From: client.Name(), To: server.Name(), Expect: server.Pod.Name(),
			Address: netip.AddrPortFrom(server.Pod.Address, lab.PodPort).String(),
		}}})
		return err
	})
	if err != nil {
		return fault.Seen{}, err
	}
	var senders []netip.Addr
	file := &fstest.MapFile{Data: pcap}
	b := evidence.New(fstest.MapFS{evidence.CaptureFile(third.Name(), dev+".pcap"): file})
	for s, err := range b.Segments(third.Name(), dev+".pcap") {
		if err != nil {
			return fault.Seen{}, err
		}
		if s.SYN && !s.ACK && s.Dst.Addr() == server.Pod.Address && !slices.Contains(senders, s.Src.Addr()) {
			senders = append(senders, s.Src.Addr())
		}
	}
	if len(senders) == 0 {
		return fault.Seen{}, nil
	}
	if want := []netip.Addr{client.Pod.Address, third.VTEP()}; !slices.Equal(senders, want) {
		return fault.Seen{}, fmt.Errorf("the SYNs on %s of %s come from %v, want %v", dev, third.Name(), senders, want)
	}
	line := fmt.Sprintf("%s of %s: SYN from %v comes, and goes on from %v", dev, third.Name(), senders[0], senders[1])
	return fault.Seen{Lines: []string{line}, Broken: []string{line}}, nil
}

// fromNode2ToNode1 picks the probe of the first node's pod by the second's.
var fromNode2ToNode1 = fault.And(fault.Kind(evidence.ProbePod), fault.From(fault.Nth(1)), fault.To(fault.Nth(0)))
