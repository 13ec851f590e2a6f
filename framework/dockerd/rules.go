// Package dockerd stands in for a dockerd that cannot be had: it makes docker0 and writes the iptables rules that a real
// one writes there, as they were recorded from dockerd 20.10.24. Its test compares the two.
package dockerd

import "net/netip"

// rule is one rule, with the chain that it stands in.
type rule struct {
	table, chain string
	spec         []string
	// first puts it at the head of its chain.
	first bool
}

// chains are dockerd's own, by table.
var chains = [][2]string{
	{"nat", "DOCKER"}, {"filter", "DOCKER"}, {"filter", "DOCKER-ISOLATION-STAGE-1"}, {"filter", "DOCKER-ISOLATION-STAGE-2"},
	{"filter", "DOCKER-USER"},
}

// rules are those of a dockerd without containers, in the order in which they are added.
func rules(bridge string, subnet netip.Prefix, ipMasq bool) []rule {
	add := func(table, chain string, spec ...string) rule { return rule{table, chain, spec, false} }
	head := func(table, chain string, spec ...string) rule { return rule{table, chain, spec, true} }
	all := []rule{
		add("nat", "PREROUTING", "-m", "addrtype", "--dst-type", "LOCAL", "-j", "DOCKER"),
		add("nat", "OUTPUT", "!", "-d", "127.0.0.0/8", "-m", "addrtype", "--dst-type", "LOCAL", "-j", "DOCKER"),
		head("filter", "FORWARD", "-i", bridge, "-o", bridge, "-j", "ACCEPT"),
		head("filter", "FORWARD", "-i", bridge, "!", "-o", bridge, "-j", "ACCEPT"),
		head("filter", "FORWARD", "-o", bridge, "-j", "DOCKER"),
		head("filter", "FORWARD", "-o", bridge, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT"),
		head("filter", "FORWARD", "-j", "DOCKER-ISOLATION-STAGE-1"),
		head("filter", "FORWARD", "-j", "DOCKER-USER"),
		add("filter", "DOCKER-ISOLATION-STAGE-1", "-i", bridge, "!", "-o", bridge, "-j", "DOCKER-ISOLATION-STAGE-2"),
		add("filter", "DOCKER-ISOLATION-STAGE-1", "-j", "RETURN"),
		add("filter", "DOCKER-ISOLATION-STAGE-2", "-o", bridge, "-j", "DROP"),
		add("filter", "DOCKER-ISOLATION-STAGE-2", "-j", "RETURN"),
		add("filter", "DOCKER-USER", "-j", "RETURN"),
	}
	if ipMasq {
		all = append(all, masquerade(bridge, subnet), add("nat", "DOCKER", "-i", bridge, "-j", "RETURN"))
	}
	return all
}

// masquerade is the rule of --ip-masq.
func masquerade(bridge string, subnet netip.Prefix) rule {
	return rule{"nat", "POSTROUTING", []string{"-s", subnet.String(), "!", "-o", bridge, "-j", "MASQUERADE"}, true}
}

func (r rule) argv(verb string) []string {
	return append([]string{"iptables", "--wait", "-t", r.table, verb, r.chain}, r.spec...)
}
