package collect

import (
	"errors"
	"fmt"
	"io"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// nftObject is an element of what nft -j prints.
type nftObject struct {
	Meta  *nftMeta           `json:"metainfo,omitempty"`
	Chain *evidence.NFTChain `json:"chain,omitempty"`
}

// nftMeta lacks the version of nft, which is not asked.
type nftMeta struct {
	Schema int `json:"json_schema_version"`
}

// nftChainsJSON writes nft-chains.json as `nft -j list chains` prints it, without handles and devices. A kernel without
// nf_tables has no chains.
func nftChainsJSON(w io.Writer) error {
	const subsystem = unix.NFNL_SUBSYS_NFTABLES << 8
	msgs, err := rtnl.Dump(unix.NETLINK_NETFILTER, subsystem|unix.NFT_MSG_GETCHAIN, subsystem|unix.NFT_MSG_NEWCHAIN,
		&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC, Version: nl.NFNETLINK_V0})
	if err != nil && !withoutNFTables(err) {
		return fmt.Errorf("list nf_tables chains: %w", err)
	}
	objects := []nftObject{{Meta: &nftMeta{Schema: 1}}}
	for _, m := range msgs {
		c, err := nftChain(m)
		if err != nil {
			return fmt.Errorf("list nf_tables chains: %w", err)
		}
		objects = append(objects, nftObject{Chain: c})
	}
	return writeNFT(w, objects)
}

// withoutNFTables reports whether an error says that the kernel has no nf_tables and no module of it either: nfnetlink
// knows no such subsystem (nfnetlink_rcv_msg in net/netfilter/nfnetlink.c), or there is no nfnetlink.
func withoutNFTables(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPROTONOSUPPORT)
}

func nftChain(m []byte) (*evidence.NFTChain, error) {
	a, err := rtnl.Body(m, nl.SizeofNfgenmsg)
	if err != nil {
		return nil, err
	}
	c := &evidence.NFTChain{
		Family: nftFamily(m[0]),
		Table:  a.String(unix.NFTA_CHAIN_TABLE),
		Name:   a.String(unix.NFTA_CHAIN_NAME),
	}
	if !a.Has(unix.NFTA_CHAIN_HOOK) {
		return c, nil
	}
	hook, err := a.Nested(unix.NFTA_CHAIN_HOOK)
	if err != nil {
		return nil, err
	}
	prio := int(int32(hook.Uint32BE(unix.NFTA_HOOK_PRIORITY)))
	c.Type, c.Prio, c.Policy = a.String(unix.NFTA_CHAIN_TYPE), &prio, "accept"
	c.Hook = nftHook(m[0], hook.Uint32BE(unix.NFTA_HOOK_HOOKNUM))
	// NF_DROP is 0 and NF_ACCEPT 1 (linux/netfilter.h).
	if a.Has(unix.NFTA_CHAIN_POLICY) && a.Uint32BE(unix.NFTA_CHAIN_POLICY) == 0 {
		c.Policy = "drop"
	}
	return c, nil
}

var nftFamilies = map[uint8]string{
	unix.NFPROTO_INET: "inet", unix.NFPROTO_IPV4: "ip", unix.NFPROTO_ARP: "arp", unix.NFPROTO_NETDEV: "netdev",
	unix.NFPROTO_BRIDGE: "bridge", unix.NFPROTO_IPV6: "ip6",
}

func nftFamily(number uint8) string {
	if name, ok := nftFamilies[number]; ok {
		return name
	}
	return fmt.Sprintf("family %d", number)
}

// The hooks by their numbers (linux/netfilter.h, linux/netfilter_arp.h), with the names that nft has for them.
var (
	inetHooks   = []string{"prerouting", "input", "forward", "output", "postrouting", "ingress"}
	arpHooks    = []string{"input", "output", "forward"}
	netdevHooks = []string{"ingress", "egress"}
)

func nftHook(family uint8, number uint32) string {
	names := inetHooks
	switch family {
	case unix.NFPROTO_ARP:
		names = arpHooks
	case unix.NFPROTO_NETDEV:
		names = netdevHooks
	}
	if int64(number) < int64(len(names)) {
		return names[number]
	}
	return fmt.Sprintf("hook %d", number)
}
