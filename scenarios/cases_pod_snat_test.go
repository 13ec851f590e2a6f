package scenarios_test

import (
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/podsnat"
	"github.com/netfault/netfault/framework/fault"
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
)

// fromNode2ToNode1 picks the probe of the first node's pod by the second's.
var fromNode2ToNode1 = fault.And(fault.Kind(evidence.ProbePod), fault.From(fault.Nth(1)), fault.To(fault.Nth(0)))
