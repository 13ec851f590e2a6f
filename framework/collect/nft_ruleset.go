package collect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/netfault/netfault/framework/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// nftTable is a table of nf_tables.
type nftTable struct{ family, name string }

// nftTables lists the tables that a packet of IPv4 may meet.
func nftTables() ([]nftTable, error) {
	const subsystem = unix.NFNL_SUBSYS_NFTABLES << 8
	msgs, err := rtnl.Dump(unix.NETLINK_NETFILTER, subsystem|unix.NFT_MSG_GETTABLE, subsystem|unix.NFT_MSG_NEWTABLE,
		&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC, Version: nl.NFNETLINK_V0})
	if err != nil && !withoutNFTables(err) {
		return nil, fmt.Errorf("list nf_tables tables: %w", err)
	}
	var tables []nftTable
	for _, m := range msgs {
		a, err := rtnl.Body(m, nl.SizeofNfgenmsg)
		if err != nil {
			return nil, fmt.Errorf("list nf_tables tables: %w", err)
		}
		if m[0] != unix.NFPROTO_IPV6 {
			tables = append(tables, nftTable{nftFamily(m[0]), a.String(unix.NFTA_TABLE_NAME)})
		}
	}
	return tables, nil
}

// nftRuleset writes nft-ruleset.json as `nft -j list ruleset` prints it, without the tables of IPv6 and without those of
// IPv4 that iptables-nft-save printed: a large cluster's stand there already. Only where other tables are left, it needs nft.
// For counters alone, the elements of sets are left out.
func nftRuleset(ctx context.Context, w io.Writer, iptables []byte, counters bool) error {
	tables, err := nftTables()
	if err != nil {
		return err
	}
	list := []string{"-j", "list", "table"}
	if counters {
		list = []string{"-j", "-t", "list", "table"}
	}
	objects := []json.RawMessage{}
	for _, t := range tables {
		if t.family == "ip" && bytes.Contains(iptables, []byte("\n*"+t.name+"\n")) {
			continue
		}
		text, err := output(ctx, "nft", append(slices.Clip(list), t.family, t.name)...)
		if err != nil {
			return fmt.Errorf("table %s %s: %w", t.family, t.name, err)
		}
		var printed struct {
			Objects []json.RawMessage `json:"nftables"`
		}
		if err := json.Unmarshal(text, &printed); err != nil {
			return fmt.Errorf("table %s %s: nft: %w", t.family, t.name, err)
		}
		objects = append(objects, printed.Objects...)
	}
	return writeNFT(w, objects)
}

// writeNFT writes objects as nft -j prints them.
func writeNFT[T any](w io.Writer, objects []T) error {
	if _, err := io.WriteString(w, `{"nftables":`); err != nil {
		return err
	}
	if err := writeRows(w, objects); err != nil {
		return err
	}
	_, err := io.WriteString(w, "}\n")
	return err
}
