package iptables

import (
	"net/netip"
	"strings"
)

// hostAddrs are the node's own.
var hostAddrs = []string{"10.244.1.1", ethAddr, flannelAddr}

// filterChains are all base chains, with targets that stop packets often.
var filterChains = []hooked{
	{"raw", "PREROUTING", (*ruleMaker).rawTarget},
	{"raw", "OUTPUT", (*ruleMaker).rawTarget},
	{"mangle", "PREROUTING", (*ruleMaker).mangleTarget},
	{"mangle", "INPUT", (*ruleMaker).mangleTarget},
	{"mangle", "FORWARD", (*ruleMaker).mangleTarget},
	{"mangle", "OUTPUT", (*ruleMaker).mangleTarget},
	{"mangle", "POSTROUTING", (*ruleMaker).mangleTarget},
	{"nat", "PREROUTING", (*ruleMaker).dnatTarget},
	{"nat", "INPUT", (*ruleMaker).inputNATTarget},
	{"nat", "OUTPUT", (*ruleMaker).dnatTarget},
	{"nat", "POSTROUTING", (*ruleMaker).snatTarget},
	{"filter", "INPUT", (*ruleMaker).stopTarget},
	{"filter", "FORWARD", (*ruleMaker).stopTarget},
	{"filter", "OUTPUT", (*ruleMaker).stopTarget},
	{"security", "INPUT", (*ruleMaker).lateTarget},
	{"security", "FORWARD", (*ruleMaker).lateTarget},
	{"security", "OUTPUT", (*ruleMaker).lateTarget},
}

// What rules for packets from and to the node ask for as well.
var (
	anyNets = append([]string{"10.244.1.0/24", "10.244.1.0/31", "10.244.1.1", "192.168.7.0/24", "192.168.7.1"}, peerNets...)
	fromAny = append([]string{"10.244.1.0/31", "10.244.1.1", "192.168.7.0/24", "192.168.7.1"}, podNets...)
	anyDevs = append([]string{"lo", "eth0"}, inDevs...)
)

func (g *ruleMaker) stopTarget(proto string) string {
	if proto == "tcp" && g.chance(10) {
		return "REJECT --reject-with tcp-reset"
	}
	return g.oneOf("ACCEPT", "ACCEPT", "RETURN", "DROP", "REJECT", "REJECT --reject-with icmp-host-prohibited",
		g.setMark(), g.setMark())
}

func (g *ruleMaker) lateTarget(string) string {
	return g.oneOf("ACCEPT", "RETURN", "DROP", "DROP", g.setMark())
}

func (g *ruleMaker) inputNATTarget(proto string) string {
	if g.chance(30) {
		return "SNAT --to-source " + g.oneOf("1.2.3.4", "10.244.1.2", "1.2.3.4-1.2.3.6")
	}
	return g.oneOf("ACCEPT", "RETURN", g.setMark(), g.setMark(), g.setMark(), g.anyMark())
}

// filterPackets returns packets from pods to peers and to the node, and from the node to peers. Their source ports differ.
func (g *ruleMaker) filterPackets(n int) []Packet {
	packets := g.packets(n)
	for i := range packets {
		switch i % 3 {
		case 0:
			packets[i].Dst = netip.MustParseAddr(g.oneOf(hostAddrs...))
		case 1:
			packets[i].Src = netip.MustParseAddr(g.oneOf(hostAddrs...))
		}
	}
	return packets
}

// ofHost reports whether an address is the node's.
func ofHost(a netip.Addr) bool {
	return strings.Contains(strings.Join(hostAddrs, " ")+" ", a.String()+" ")
}

// baseOf returns the base chain that leads to a chain.
func baseOf(chain string) string {
	for _, h := range filterChains {
		if chain == h.base || strings.HasPrefix(chain, h.table+"-"+h.base+"-") {
			return h.base
		}
	}
	return chain
}
