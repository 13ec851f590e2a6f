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
	return nftObjects(b, node, NFTChainsFile, "nft -j list chains", "chain", NFTChain.check)
}

// maxNFTObject is the most bytes that one object of nft's may take: a map of kube-proxy with 10,000 Services has 2 MB.
const maxNFTObject = 4 << 20

// nftObjects yields the objects of one kind, such as "chain", of what an nft command printed into a node's file.
func nftObjects[T any](b *Bundle, node, file, command, kind string, check func(T) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		if err := CheckNodeName(node); err != nil {
			yield(none, fileError(NodesDir, err))
			return
		}
		err := b.decode(NodeFile(node, file), func(d *decoder) error {
			d.most = maxNFTObject
			return d.arrayIn("nftables", command, func() error {
				var object map[string]jsontext.Value
				if err := d.value(&object); err != nil || object[kind] == nil {
					return err
				}
				var v T
				if err := json.Unmarshal(object[kind], &v); err != nil {
					return err
				}
				if err := check(v); err != nil {
					return err
				}
				if !yield(v, nil) {
					return errStop
				}
				return nil
			})
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(none, err)
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
