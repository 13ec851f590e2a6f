package evidence

import (
	"errors"
	"fmt"
	"iter"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// NFTRule is one rule of `nft -j list ruleset` (libnftables-json(5)).
type NFTRule struct {
	Family string `json:"family"`
	Table  string `json:"table"`
	Chain  string `json:"chain"`
	// Handle is the rule's number in its table, which it keeps.
	Handle  uint64 `json:"handle"`
	Comment string `json:"comment,omitempty"`
	// Expr are the rule's statements in their order, each an object with one member such as "match", "counter" or "drop".
	Expr []map[string]jsontext.Value `json:"expr"`
}

// Has reports whether the rule has a statement of that name, such as "drop".
func (r NFTRule) Has(statement string) bool {
	for _, e := range r.Expr {
		if _, ok := e[statement]; ok {
			return true
		}
	}
	return false
}

// Counter returns what the rule has counted. It is not ok for a rule without a counter, and for one that only names a
// counter which stands elsewhere in the table.
func (r NFTRule) Counter() (packets, bytes uint64, ok bool) {
	for _, e := range r.Expr {
		var c struct {
			Packets *uint64 `json:"packets"`
			Bytes   *uint64 `json:"bytes"`
		}
		if json.Unmarshal(e["counter"], &c) == nil && c.Packets != nil && c.Bytes != nil {
			return *c.Packets, *c.Bytes, true
		}
	}
	return 0, 0, false
}

// NFTRules yields the rules of a node's nf_tables that iptables-nft-save does not print, from file, which is NFTRulesetFile or
// that taken Later. NFTChains has their chains. An error is yielded last.
func (b *Bundle) NFTRules(node, file string) iter.Seq2[NFTRule, error] {
	return nftObjects(b, node, file, "nft -j list ruleset", "rule", NFTRule.check)
}

func (r NFTRule) check() error {
	switch {
	case r.Family == "" || r.Table == "" || r.Chain == "" || r.Handle == 0:
		return errors.New("a rule lacks family, table, chain or handle")
	case r.Expr == nil:
		return fmt.Errorf("rule %d of table %.20q lacks expr", r.Handle, r.Table)
	}
	return nil
}
