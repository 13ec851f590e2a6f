package rules

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/iptables"
	"github.com/netfault/netfault/detectors/nftables"
)

// readNative adds the rules of nft's own tables, as kube-proxy, flannel, Docker, Calico and firewalld have them. nft lists
// iptables' tables as well: they are those of which iptables-nft-save printed the chains, and are judged from there.
func (n *Node) readNative(b *evidence.Bundle) {
	text, err := b.RuleFile(n.node, evidence.NFTRulesetFile)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var rules *iptables.Rules
	if err == nil {
		n.native, err = nftables.Parse(text)
	}
	if err == nil {
		rules, err = iptables.FromNFT(n.native, n.prints)
	}
	if err != nil {
		n.native = nil
		if _, ok := errors.AsType[*nftables.SyntaxError](err); ok {
			err = &evidence.FileError{File: evidence.NodeFile(n.node, evidence.NFTRulesetFile), Err: err}
		}
		n.Doubts = append(n.Doubts, detectors.Unreadable("", err))
		return
	}
	n.Worlds = append(n.Worlds, rules)
	n.readElsewhere()
}

// readElsewhere adds a doubt for each rule that packets meet outside of iptables' hooks, on a device or a bridge, and that changes
// what rules at those hooks ask for. What such rules let pass or drop rewrites nothing.
func (n *Node) readElsewhere() {
	for _, t := range n.native.Tables {
		for _, c := range t.Chains {
			if t.Dormant || !(t.Family == "netdev" || t.Family == "bridge" || c.Hook == "ingress" || c.Hook == "egress") {
				continue
			}
			for _, r := range c.Rules {
				if i := slices.IndexFunc(r.Statements, changes); i >= 0 {
					n.Doubts = append(n.Doubts, detectors.Line{
						File: evidence.NodeFile(n.node, evidence.NFTRulesetFile), At: evidence.Pos(r.At),
						Text: detectors.OneLine(fmt.Sprintf("not judged: a rule of table %s, chain %s, which changes packets on a device or a bridge: %s", t, c.Name, r.Text())),
					})
				}
			}
		}
	}
}

// changes reports whether a statement changes a mark, or what stands in a packet, or may do so. A chain that it leads to is looked
// at by itself.
func changes(s nftables.Statement) bool {
	harmless := []string{
		"match", "accept", "drop", "return", "continue", "jump", "goto", "vmap", "reject", "counter", "log", "limit", "quota", "set",
	}
	return !slices.Contains(harmless, s.Name)
}

// judgeChains adds a doubt for each of nft's chains that can rewrite the traffic's source, but whose rules are in no file:
// those of a table that was not listed. Where the list of chains is missing, as in bundles that were
// made before there was one, nothing is said.
func (n *Node) judgeChains(chains []evidence.NFTChain) {
	for _, c := range chains {
		if rewritesSources(c) && !(c.Family == "ip" && n.prints(c.Table, c.Name)) && !n.lists(c) {
			look := detectors.Command{Argv: []string{"nft", "list", "table", c.Family, c.Table}}
			n.doubt(evidence.NodeFile(n.node, evidence.NFTChainsFile), fmt.Sprintf(
				"table %s %s has the nat chain %s at postrouting, whose rules are in no file: look with %s", c.Family, c.Table, c.Name, look))
		}
	}
}

// rewritesSources reports whether a chain may masquerade IPv4 packets: the kernel takes snat and masquerade only in chains of
// type nat (nft_nat_validate in net/netfilter/nft_nat.c, nft_masq_validate in nft_masq.c), which are no chains of the
// families netdev, bridge and arp; sources of forwarded packets change at postrouting.
func rewritesSources(c evidence.NFTChain) bool {
	return c.Type == "nat" && c.Hook == "postrouting" && (c.Family == "ip" || c.Family == "inet")
}

// prints reports whether a chain's rules are among those of iptables. In the table ip nat, too, nft can make chains that
// iptables-nft-save leaves out.
func (n *Node) prints(table, chain string) bool { return n.nft != nil && n.nft.HasChain(table, chain) }

// lists reports whether a chain's rules are among those of nft's own tables.
func (n *Node) lists(c evidence.NFTChain) bool {
	if n.native == nil {
		return false
	}
	t := n.native.Table(c.Family, c.Table)
	return t != nil && t.Chain(c.Name) != nil
}

// readChains returns all of the kernel's chains.
func (n *Node) readChains(b *evidence.Bundle) (chains []evidence.NFTChain) {
	for c, err := range b.NFTChains(n.node) {
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			n.Doubts = append(n.Doubts, detectors.Unreadable("", err))
		default:
			chains = append(chains, c)
		}
	}
	return chains
}
