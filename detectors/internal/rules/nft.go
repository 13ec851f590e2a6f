package rules

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
)

// judgeChains adds a doubt for each of nft's chains that can rewrite the traffic's source, but whose rules are in no file:
// kube-proxy, flannel and firewalld have tables of their own. Where the list of chains is missing, as in bundles that were
// made before there was one, nothing is said.
func (n *Node) judgeChains(chains []evidence.NFTChain) {
	for _, c := range chains {
		if rewritesSources(c) && !n.printed(c) {
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

// printed reports whether a chain's rules are among those of iptables. In the table ip nat, too, nft can make chains that
// iptables-nft-save leaves out.
func (n *Node) printed(c evidence.NFTChain) bool {
	return c.Family == "ip" && c.Table == "nat" && n.nft != nil && n.nft.HasChain(c.Table, c.Name)
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
