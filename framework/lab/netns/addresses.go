package netns

import "net/netip"

// The networks, and the addresses that are the same in every lab. On the underlay, nodes come after the host outside.
var (
	underlay       = netip.MustParsePrefix("192.168.100.0/24")
	outsideAddress = netip.MustParseAddr("192.168.100.2")
	podNetwork     = netip.MustParsePrefix("10.244.0.0/16")
	serviceNetwork = netip.MustParsePrefix("10.96.0.0/16")
	dnsClusterIP   = netip.MustParseAddr("10.96.0.10")
)

func (n *node) address() netip.Addr { return nth(underlay, 11+n.index) }

// subnet is the node's pod network. flannel leases it because the node remembers it, as after a restart.
func (n *node) subnet() netip.Prefix {
	return netip.PrefixFrom(nth(podNetwork, (n.index+1)<<8), 24)
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
