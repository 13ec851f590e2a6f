package dockerd

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"

	"github.com/netfault/netfault/framework/internal/standin"
)

// Run does what dockerd does to the network of the calling thread's namespace when it is started with these arguments,
// says that it is ready (sd_notify(3)), and waits until ctx ends. Like dockerd it leaves its rules behind, and when it is
// started without --ip-masq, removes the rule that an earlier one has written for it.
func Run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("dockerd", flag.ContinueOnError)
	bridge := flags.String("bridge", "docker0", "the bridge, which is made if it is not there")
	once := flags.Bool("once", false, "write the rules and end")
	bip := flags.String("bip", "", "address of the bridge, with its prefix")
	ipMasq := flags.Bool("ip-masq", true, "masquerade what leaves by another interface")
	// docker0 takes the MTU of its ports; dockerd gives this one to its containers, of which there are none here.
	flags.Int("mtu", 1500, "MTU of containers")
	if err := flags.Parse(args); err != nil {
		return err
	}
	address, err := netip.ParsePrefix(*bip)
	if err != nil {
		return fmt.Errorf("--bip: %w", err)
	}
	if err := makeBridge(*bridge, address); err != nil {
		return err
	}
	if err := writeRules(ctx, *bridge, address.Masked(), *ipMasq); err != nil || *once {
		return err
	}
	if err := standin.Ready(); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func makeBridge(name string, address netip.Prefix) error {
	if _, err := netlink.LinkByName(name); err == nil {
		return nil
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	link := &netlink.Bridge{LinkAttrs: attrs}
	if err := netlink.LinkAdd(link); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	addr, err := netlink.ParseAddr(address.String())
	if err != nil {
		return err
	}
	return errors.Join(netlink.AddrAdd(link, addr), netlink.LinkSetUp(link))
}

func writeRules(ctx context.Context, bridge string, subnet netip.Prefix, ipMasq bool) error {
	for _, c := range chains {
		if standin.Command(ctx, []string{"iptables", "--wait", "-t", c[0], "-N", c[1]}) != nil {
			// It is there from an earlier start; dockerd empties it, too.
			if err := standin.Command(ctx, []string{"iptables", "--wait", "-t", c[0], "-F", c[1]}); err != nil {
				return err
			}
		}
	}
	// Rules of an earlier start that stand first come to stand first again.
	for _, r := range rules(bridge, subnet, true) {
		if r.first && standin.Command(ctx, r.argv("-C")) == nil {
			if err := standin.Command(ctx, r.argv("-D")); err != nil {
				return err
			}
		}
	}
	for _, r := range rules(bridge, subnet, ipMasq) {
		verb := "-I"
		if !r.first {
			if standin.Command(ctx, r.argv("-C")) == nil {
				continue
			}
			verb = "-A"
		}
		if err := standin.Command(ctx, r.argv(verb)); err != nil {
			return err
		}
	}
	return nil
}
