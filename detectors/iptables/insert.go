package iptables

import (
	"fmt"
	"maps"
	"slices"

	"github.com/netfault/netfault/detectors/nftables"
)

// WithFirst returns the rules as they would be with one more at the beginning of a chain: what `iptables -I CHAIN` makes
// of them. spec is the rule without `-A CHAIN`, in the form of iptables-save.
func (r *Rules) WithFirst(tableName, chainName, spec string) (*Rules, error) {
	old, c, err := r.copyOf(tableName, chainName)
	if err != nil {
		return nil, err
	}
	p := &parser{words: words{text: spec, line: 1}, rules: r, table: old}
	rule := &Rule{chain: c, Text: "-I " + chainName + " " + spec}
	p.readOptions(rule)
	if rule.unclear != "" || rule.target.kind == targetUnclear {
		return nil, fmt.Errorf("the rule %q is not understood", spec)
	}
	return r.withFirst(old, c, rule), nil
}

// WithFirstNative is WithFirst for Native: what `nft insert rule TABLE CHAIN` makes of them. No statement may name a set or a chain.
func (r *Rules) WithFirstNative(tableName, chainName string, statements ...nftables.Statement) (*Rules, error) {
	old, c, err := r.copyOf(tableName, chainName)
	if err != nil {
		return nil, err
	}
	b := &builder{table: &nftables.Table{}}
	rule := &nftables.Rule{Statements: statements}
	steps, err := b.steps(rule)
	if err != nil {
		return nil, err
	}
	out := r.withFirst(old, c, &Rule{chain: c, Text: rule.Text(), steps: steps})
	out.bases = slices.Clone(r.bases)
	if i := slices.Index(r.bases, old.chains[chainName]); i >= 0 {
		out.bases[i] = c
	}
	return out, nil
}

// SourceNATChains returns the base chains of a table of Native that can rewrite sources of forwarded packets.
func (r *Rules) SourceNATChains(tableName string) (names []string) {
	for _, c := range r.bases {
		if c.table == tableName && c.kind == "nat" && c.hook == "POSTROUTING" {
			names = append(names, c.name)
		}
	}
	return names
}

// copyOf returns a table, and a copy of one of its chains.
func (r *Rules) copyOf(tableName, chainName string) (*table, *chain, error) {
	t := r.tables[tableName]
	if t == nil || t.chains[chainName] == nil {
		return nil, nil, fmt.Errorf("%s has no chain %s in table %s", r.world, chainName, tableName)
	}
	c := *t.chains[chainName]
	return t, &c, nil
}

// withFirst returns the rules with a chain of a table exchanged for one that begins with one more rule.
func (r *Rules) withFirst(old *table, c *chain, first *Rule) *Rules {
	c.rules = slices.Concat([]*Rule{first}, c.rules)
	changed := &table{name: old.name, chains: maps.Clone(old.chains)}
	changed.chains[c.name] = c
	out := *r
	out.tables, out.count = maps.Clone(r.tables), r.count+1
	out.tables[old.name] = changed
	return &out
}
