package flanneld

import (
	"context"
	"log"
	"net/netip"
	"slices"

	"github.com/netfault/netfault/framework/internal/standin"
)

// rules are what --ip-masq appends to POSTROUTING (network/ipmasq.go).
func rules(network netip.Prefix) [][]string {
	n := network.String()
	return [][]string{
		{"-s", n, "-d", n, "-j", "RETURN"},
		{"-s", n, "!", "-d", "224.0.0.0/4", "-j", "MASQUERADE"},
		{"!", "-s", n, "-d", n, "-j", "MASQUERADE"},
	}
}

func nat(ctx context.Context, verb string, rule []string) error {
	return standin.Command(ctx, slices.Concat([]string{"iptables", "--wait", "-t", "nat", verb, "POSTROUTING"}, rule))
}

func masquerade(ctx context.Context, network netip.Prefix) error {
	for _, r := range rules(network) {
		if nat(ctx, "-C", r) == nil {
			continue // of a flanneld that was killed
		}
		if err := nat(ctx, "-A", r); err != nil {
			return err
		}
	}
	return nil
}

func unmasquerade(ctx context.Context, network netip.Prefix) {
	for _, r := range rules(network) {
		if err := nat(ctx, "-D", r); err != nil {
			log.Print(err) // somebody else has deleted it
		}
	}
}
