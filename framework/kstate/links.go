package kstate

import (
	"fmt"
	"net"

	"github.com/netfault/netfault/framework/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// adminFlags are the flags that an administrator sets; the rest say what the driver and the carrier do.
var adminFlags = []struct {
	bit  uint32
	name string
}{
	{unix.IFF_UP, "up"}, {unix.IFF_NOARP, "noarp"}, {unix.IFF_PROMISC, "promisc"}, {unix.IFF_ALLMULTI, "allmulti"},
	{unix.IFF_MULTICAST, "multicast"},
}

// vxlanFields are IFLA_VXLAN_* (linux/if_link.h).
var vxlanFields = []field{
	{nl.IFLA_VXLAN_ID, "id", asNumber}, {nl.IFLA_VXLAN_GROUP, "remote", asIP}, {nl.IFLA_VXLAN_GROUP6, "remote", asIP},
	{nl.IFLA_VXLAN_LOCAL, "local", asIP}, {nl.IFLA_VXLAN_LOCAL6, "local", asIP}, {nl.IFLA_VXLAN_LINK, "dev", asDev},
	{nl.IFLA_VXLAN_PORT_RANGE, "srcport", asHex}, {nl.IFLA_VXLAN_PORT, "dstport", asPort},
	{nl.IFLA_VXLAN_LEARNING, "learning", asNumber}, {nl.IFLA_VXLAN_PROXY, "proxy", asNumber},
	{nl.IFLA_VXLAN_RSC, "rsc", asNumber}, {nl.IFLA_VXLAN_L2MISS, "l2miss", asNumber},
	{nl.IFLA_VXLAN_L3MISS, "l3miss", asNumber}, {nl.IFLA_VXLAN_TTL, "ttl", asNumber}, {nl.IFLA_VXLAN_TOS, "tos", asNumber},
	{nl.IFLA_VXLAN_AGEING, "ageing", asNumber}, {nl.IFLA_VXLAN_LIMIT, "maxaddr", asNumber},
	{nl.IFLA_VXLAN_UDP_CSUM, "udpcsum", asNumber}, {nl.IFLA_VXLAN_UDP_ZERO_CSUM6_TX, "udp6zerocsumtx", asNumber},
	{nl.IFLA_VXLAN_UDP_ZERO_CSUM6_RX, "udp6zerocsumrx", asNumber}, {nl.IFLA_VXLAN_REMCSUM_TX, "remcsumtx", asNumber},
	{nl.IFLA_VXLAN_REMCSUM_RX, "remcsumrx", asNumber}, {nl.IFLA_VXLAN_GBP, "gbp", asHex},
	{nl.IFLA_VXLAN_FLOWBASED, "external", asNumber}, {26, "flowlabel", asNumber}, {vxlanTTLInherit, "ttl_inherit", asNumber},
	{29, "df", asNumber}, {30, "vnifilter", asNumber}, {vxlanLocalBypass, "localbypass", asNumber}, {32, "label_policy", asNumber},
	{33, "reserved_bits", asHex},
}

// What package nl lacks of IFLA_VXLAN_*.
const (
	vxlanTTLInherit  = 28
	vxlanLocalBypass = 31
)

// bridgeFields are those of IFLA_BR_* (linux/if_link.h) that are settings; the others are timers and what the spanning
// tree found.
var bridgeFields = []field{
	{1, "forward_delay", asNumber}, {2, "hello_time", asNumber}, {3, "max_age", asNumber}, {4, "ageing_time", asNumber},
	{5, "stp_state", asNumber}, {6, "priority", asNumber}, {7, "vlan_filtering", asNumber},
	{9, "group_fwd_mask", asNumber}, {23, "mcast_snooping", asNumber}, {25, "mcast_querier", asNumber},
	{36, "nf_call_iptables", asNumber}, {37, "nf_call_ip6tables", asNumber}, {38, "nf_call_arptables", asNumber},
	{39, "vlan_default_pvid", asNumber},
}

// portFields are the switches among IFLA_BRPORT_* (linux/if_link.h).
var portFields = []field{
	{nl.IFLA_BRPORT_MODE, "hairpin", asNumber}, {nl.IFLA_BRPORT_GUARD, "guard", asNumber},
	{nl.IFLA_BRPORT_PROTECT, "root_block", asNumber}, {nl.IFLA_BRPORT_FAST_LEAVE, "fastleave", asNumber},
	{nl.IFLA_BRPORT_LEARNING, "learning", asNumber}, {nl.IFLA_BRPORT_UNICAST_FLOOD, "flood", asNumber},
	{nl.IFLA_BRPORT_MCAST_FLOOD, "mcast_flood", asNumber}, {nl.IFLA_BRPORT_BCAST_FLOOD, "bcast_flood", asNumber},
	{nl.IFLA_BRPORT_PROXYARP, "proxy_arp", asNumber}, {nl.IFLA_BRPORT_NEIGH_SUPPRESS, "neigh_suppress", asNumber},
	{nl.IFLA_BRPORT_ISOLATED, "isolated", asNumber},
}

func readLinks() ([]Link, error) {
	msgs, err := rtnl.Links()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	n := make(names, len(msgs))
	attrs := make([]rtnl.Attrs, len(msgs))
	for i, m := range msgs {
		if attrs[i], err = rtnl.Body(m, unix.SizeofIfInfomsg); err != nil {
			return nil, fmt.Errorf("list links: %w", err)
		}
		n[int(nl.DeserializeIfInfomsg(m).Index)] = attrs[i].String(unix.IFLA_IFNAME)
	}
	links := make([]Link, len(msgs))
	for i, m := range msgs {
		if links[i], err = readLink(nl.DeserializeIfInfomsg(m), attrs[i], n); err != nil {
			return nil, fmt.Errorf("link %s: %w", attrs[i].String(unix.IFLA_IFNAME), err)
		}
	}
	return links, nil
}

func readLink(h *nl.IfInfomsg, a rtnl.Attrs, n names) (Link, error) {
	l := Link{
		Name:   a.String(unix.IFLA_IFNAME),
		Index:  int(h.Index),
		MAC:    net.HardwareAddr(a[unix.IFLA_ADDRESS]).String(),
		MTU:    int(a.Uint32(unix.IFLA_MTU)),
		TxQLen: int(a.Uint32(unix.IFLA_TXQLEN)),
		Flags:  []string{},
	}
	for _, f := range adminFlags {
		if h.Flags&f.bit != 0 {
			l.Flags = append(l.Flags, f.name)
		}
	}
	if master := a.Uint32(unix.IFLA_MASTER); master != 0 {
		l.Master = n.name(int(master))
	}
	info, err := a.Nested(unix.IFLA_LINKINFO)
	if err != nil {
		return l, err
	}
	l.Kind = info.String(nl.IFLA_INFO_KIND)
	switch l.Kind {
	case "vxlan":
		attrs, err := rtnl.List(info[nl.IFLA_INFO_DATA])
		if err != nil {
			return l, err
		}
		l.Attributes, l.Data = describe(attrs, vxlanFields, n), vxlanData(attrs)
	case "bridge":
		attrs, err := only(info[nl.IFLA_INFO_DATA], bridgeFields)
		if err != nil {
			return l, err
		}
		l.Attributes, l.Data = describe(attrs, bridgeFields, n), rtnl.Message(nil, attrs)
	}
	if info.String(nl.IFLA_INFO_SLAVE_KIND) == "bridge" {
		attrs, err := only(info[nl.IFLA_INFO_SLAVE_DATA], portFields)
		if err != nil {
			return l, err
		}
		l.Port, l.PortData = describe(attrs, portFields, n), rtnl.Message(nil, attrs)
	}
	return l, nil
}

// vxlanData makes what a VXLAN link is made from, from what the kernel tells of one: they are not quite the same. Being
// there, be it with 0, can turn a setting on (remote checksum offload); and ttl_inherit is told as a number, but asked for
// as a flag. So zeros are left out, where zero is the default.
func vxlanData(attrs []rtnl.Attr) []byte {
	var data []byte
	for _, a := range attrs {
		switch a.Type {
		case nl.IFLA_VXLAN_LEARNING, nl.IFLA_VXLAN_AGEING, nl.IFLA_VXLAN_UDP_CSUM, vxlanLocalBypass:
			data = rtnl.Append(data, a) // zero is not the default
		case vxlanTTLInherit:
			if !all(a.Value, 0) {
				data = rtnl.Append(data, rtnl.Attr{Type: a.Type})
			}
		default:
			if len(a.Value) == 0 || !all(a.Value, 0) {
				data = rtnl.Append(data, a)
			}
		}
	}
	return data
}

// only returns the attributes in b that have a field.
func only(b []byte, fields []field) ([]rtnl.Attr, error) {
	attrs, err := rtnl.List(b)
	if err != nil {
		return nil, err
	}
	var kept []rtnl.Attr
	for _, a := range attrs {
		for _, f := range fields {
			if a.Type == f.attr {
				kept = append(kept, a)
			}
		}
	}
	return kept, nil
}
