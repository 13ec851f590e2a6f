package iptables

import (
	"fmt"
	"maps"
	"slices"
)

// WithFirst returns the rules as they would be with one more at the beginning of a chain: what `iptables -I CHAIN` makes
// of them. spec is the rule without `-A CHAIN`, in the form of iptables-save.
func (r *Rules) WithFirst(tableName, chainName, spec string) (*Rules, error) {
	old := r.tables[tableName]
	if old == nil || old.chains[chainName] == nil {
		return nil, fmt.Errorf("%s has no chain %s in table %s", r.world, chainName, tableName)
	}
	c := *old.chains[chainName]
	p := &parser{words: words{text: spec, line: 1}, rules: r, table: old}
	rule := &Rule{chain: &c, Text: "-I " + chainName + " " + spec}
	p.readOptions(rule)
	if rule.unclear != "" || rule.target.kind == targetUnclear {
		return nil, fmt.Errorf("the rule %q is not understood", spec)
	}
	c.rules = slices.Concat([]*Rule{rule}, c.rules)

	changed := &table{name: old.name, chains: maps.Clone(old.chains)}
	changed.chains[chainName] = &c
	out := &Rules{world: r.world, tables: maps.Clone(r.tables), foreign: r.foreign, count: r.count + 1}
	out.tables[tableName] = changed
	return out, nil
}
