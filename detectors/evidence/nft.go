package evidence

import (
	"errors"
	"fmt"
	"iter"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// NFTChain is one chain of `nft -j list chains` (libnftables-json(5)).
type NFTChain struct {
	Family string `json:"family"`
	Table  string `json:"table"`
	Name   string `json:"name"`
	// Type, Hook, Prio and Policy are those of base chains, which the kernel hands packets to; the others have none.
	Type   string `json:"type,omitempty"`
	Hook   string `json:"hook,omitempty"`
	Prio   *int   `json:"prio,omitempty"`
	Policy string `json:"policy,omitempty"`
}

// NFTChains yields the nf_tables chains of a node, those of iptables-nft among them, from NFTChainsFile. What else nft
// prints there, such as its own version, is passed over. An error is yielded last.
func (b *Bundle) NFTChains(node string) iter.Seq2[NFTChain, error] {
	return func(yield func(NFTChain, error) bool) {
		if err := CheckNodeName(node); err != nil {
			yield(NFTChain{}, fileError(NodesDir, err))
			return
		}
		err := b.decode(NodeFile(node, NFTChainsFile), func(d *decoder) error {
			return d.arrayIn("nftables", "nft -j list chains", func() error {
				var object struct {
					Chain jsontext.Value `json:"chain"`
				}
				if err := d.value(&object); err != nil || object.Chain == nil {
					return err
				}
				var c NFTChain
				if err := json.Unmarshal(object.Chain, &c); err != nil {
					return err
				}
				if err := c.check(); err != nil {
					return err
				}
				if !yield(c, nil) {
					return errStop
				}
				return nil
			})
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(NFTChain{}, err)
		}
	}
}

func (c NFTChain) check() error {
	switch {
	case c.Family == "" || c.Table == "" || c.Name == "":
		return errors.New("a chain lacks family, table or name")
	case (c.Type == "") != (c.Hook == ""):
		return fmt.Errorf("chain %.20q of table %.20q: type %.20q and hook %.20q: want both or neither", c.Name, c.Table, c.Type, c.Hook)
	}
	return nil
}
