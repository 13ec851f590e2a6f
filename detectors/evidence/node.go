package evidence

import (
	"errors"
	"iter"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Links yields the links of a node from file, which is LinkFile or LinkLaterFile. An error is yielded last.
func (b *Bundle) Links(node, file string) iter.Seq2[Link, error] {
	return nodeEntries(b, node, file, func(l *Link, at Pos) error {
		l.Pos = at
		return require("ifname", l.Name)
	})
}

// Addrs yields the links of a node with their addresses, from AddrFile. An error is yielded last.
func (b *Bundle) Addrs(node string) iter.Seq2[LinkAddrs, error] {
	return nodeEntries(b, node, AddrFile, func(l *LinkAddrs, _ Pos) error { return require("ifname", l.Name) })
}

// PolicyRules yields the policy rules of a node for IPv4 in the order in which the kernel asks them, from PolicyFile. An
// error is yielded last.
func (b *Bundle) PolicyRules(node string) iter.Seq2[PolicyRule, error] {
	return nodeEntries(b, node, PolicyFile, func(r *PolicyRule, at Pos) error {
		r.Pos = at
		return require("src", r.Src)
	})
}

func nodeEntries[T any](b *Bundle, node, file string, check func(*T, Pos) error) iter.Seq2[T, error] {
	if err := CheckNodeName(node); err != nil {
		return func(yield func(T, error) bool) {
			var none T
			yield(none, fileError(NodesDir, err))
		}
	}
	return entries(b, NodeFile(node, file), check)
}

func require(field, value string) error {
	if value == "" {
		return errors.New("an entry has no " + field)
	}
	return nil
}

// UnmarshalJSONFrom reads info_data of VXLAN links and bridges only: links of other kinds use the same names for other types.
func (i *LinkInfo) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	var raw struct {
		Kind string         `json:"info_kind"`
		Data jsontext.Value `json:"info_data"`
	}
	if err := json.UnmarshalDecode(d, &raw); err != nil {
		return err
	}
	*i = LinkInfo{Kind: raw.Kind}
	if raw.Data == nil {
		return nil
	}
	switch raw.Kind {
	case "vxlan":
		return json.Unmarshal(raw.Data, &i.Data)
	case "bridge":
		var data struct {
			NFCallIPTables *int `json:"nf_call_iptables"`
		}
		err := json.Unmarshal(raw.Data, &data)
		i.Data.NFCallIPTables = data.NFCallIPTables
		return err
	}
	return nil
}
