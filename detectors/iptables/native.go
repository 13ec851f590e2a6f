package iptables

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors/nftables"
)

// FromNFT returns the rules of what nft printed that packets of IPv4 meet at the hooks of iptables: the tables of the families
// ip and inet that are in force. Base chains of which printed says that iptables-nft-save printed them are left out, since
// nft lists iptables' tables as well. A chain that leads to itself is a *nftables.SyntaxError.
func FromNFT(set *nftables.Ruleset, printed func(table, chain string) bool) (*Rules, error) {
	out := &Rules{world: Native, tables: map[string]*table{}, foreign: map[string]bool{}, native: map[string]bool{}}
	for _, t := range set.Tables {
		if t.Dormant || t.Family != "ip" && t.Family != "inet" {
			continue
		}
		if err := out.addTable(t, func(chain string) bool { return t.Family == "ip" && printed(t.Name, chain) }); err != nil {
			return nil, err
		}
		out.services = append(out.services, out.servicesOf(t)...)
	}
	if at := out.findLoop(); at != nil {
		return nil, &nftables.SyntaxError{Reason: fmt.Sprintf("rule %d of table %s: %s", at.Handle, clip(at.Table()), at.loopText())}
	}
	return out, nil
}

// hooks are those that FromNFT knows, by nft's names.
var hooks = []string{"prerouting", "input", "forward", "output", "postrouting"}

// addTable adds a table, unless all of its base chains were printed elsewhere.
func (r *Rules) addTable(from *nftables.Table, printed func(chain string) bool) error {
	t := &table{name: from.String(), chains: map[string]*chain{}}
	var bases []*chain
	whole := true
	for _, c := range from.Chains {
		n := &chain{world: Native, table: t.name, name: c.Name, policy: noPolicy, at: c.At}
		t.chains[c.Name] = n
		switch {
		case !slices.Contains(hooks, c.Hook):
			continue
		case printed(c.Name):
			whole = false
			continue
		}
		n.kind, n.hook, n.prio, n.policy = c.Type, strings.ToUpper(c.Hook), c.Prio, policyAccept
		if c.Policy == "drop" {
			n.policy = policyDrop
		}
		bases = append(bases, n)
	}
	if len(bases) == 0 {
		return nil
	}
	for _, c := range from.Chains {
		b := &builder{table: from, chains: t.chains}
		for _, rule := range c.Rules {
			steps, err := b.steps(rule)
			if err != nil {
				return err
			}
			n := t.chains[c.Name]
			n.rules = append(n.rules, &Rule{chain: n, At: rule.At, Handle: rule.Handle, Text: rule.Text(), steps: steps})
			r.count++
		}
	}
	r.tables[t.name] = t
	r.bases = append(r.bases, bases...)
	r.native[t.name] = whole
	return nil
}
