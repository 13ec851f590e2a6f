package netns

import (
	"fmt"
	"net/netip"

	"github.com/netfault/netfault/framework/lab"
)

// The networks of a lab for which nobody chose any.
var (
	underlay       = netip.MustParsePrefix("192.168.100.0/24")
	podNetwork     = netip.MustParsePrefix("10.244.0.0/16")
	serviceNetwork = netip.MustParsePrefix("10.96.0.0/16")
)

// chosen is the site with the lab's own choice for what nobody chose, for so many nodes.
func chosen(s lab.Site, nodes int) lab.Site {
	if len(s.Nodes) == 0 {
		for i := range nodes {
			// Numbered from 1, with leading zeros where sorting by name needs them.
			s.Nodes = append(s.Nodes, fmt.Sprintf("n%0*d", len(fmt.Sprint(nodes)), i+1))
		}
	}
	if len(s.Parts) == 0 {
		s.Parts = s.Nodes
	}
	for network, own := range map[*netip.Prefix]netip.Prefix{&s.Underlay: underlay, &s.PodNetwork: podNetwork, &s.ServiceNetwork: serviceNetwork} {
		if !network.IsValid() {
			*network = own
		}
	}
	return s
}

// outsideAddress is that of the host outside. On the underlay, nodes come after it.
func (l *Lab) outsideAddress() netip.Addr { return nth(l.site.Underlay, 2) }

func (l *Lab) dnsClusterIP() netip.Addr { return nth(l.site.ServiceNetwork, 10) }

func (n *node) address() netip.Addr { return nth(n.site.Underlay, 11+n.index) }

// subnet is the node's pod network. flannel leases it because the node remembers it, as after a restart.
func (n *node) subnet() netip.Prefix {
	return netip.PrefixFrom(nth(n.site.PodNetwork, (n.index+1)<<8), 24)
}

func nth(p netip.Prefix, i int) netip.Addr {
	b := p.Addr().As4()
	host := int(b[2])<<8 + int(b[3]) + i
	b[2], b[3] = byte(host>>8), byte(host)
	return netip.AddrFrom4(b)
}

func withBits(a netip.Addr, bits int) string { return netip.PrefixFrom(a, bits).String() }

func (n *node) podAddress(k podKind) netip.Prefix {
	return netip.PrefixFrom(nth(n.subnet(), int(k)), 24)
}
