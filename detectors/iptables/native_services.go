package iptables

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors/nftables"
)

// servicesOf returns the Services that a table of nft's own has, as kube-proxy's nftables mode writes them (pkg/proxy/nftables/proxier.go
// in Kubernetes, v1.33): a map from address, protocol and port to a chain, which marks some packets for masquerading and leads to chains
// with DNAT, one for each endpoint. Names decide nothing. What leads to such a chain by way of another is traffic from outside.
func (r *Rules) servicesOf(from *nftables.Table) []Service {
	t := r.tables[from.String()]
	if t == nil {
		return nil
	}
	var all []Service
	for _, c := range from.Chains {
		for _, rule := range c.Rules {
			for _, s := range rule.Statements {
				if set := serviceMap(from, s); set != nil {
					all = append(all, servicesIn(set, t.chains)...)
				}
			}
		}
	}
	return all
}

// serviceMap returns the named map that a statement looks up by address, protocol and port, nil if it is another statement.
func serviceMap(table *nftables.Table, s nftables.Statement) *nftables.Set {
	text, _ := member(s.Arg, "data").(string)
	name, isName := strings.CutPrefix(text, "@")
	if s.Name != "vmap" || !isName {
		return nil
	}
	set := table.Set(name)
	if set == nil || !slices.Equal(set.Type, []string{"ipv4_addr", "inet_proto", "inet_service"}) {
		return nil
	}
	return set
}

// servicesIn returns the Services of a map's elements, in their order. An element that is not as kube-proxy writes it is no Service.
func servicesIn(set *nftables.Set, chains map[string]*chain) []Service {
	var all []Service
	for _, e := range set.Elems {
		key, ok := member(e.Key, "concat").([]any)
		c := chains[nftables.Target(member(e.Value, "goto"))]
		if !ok || len(key) != 3 || c == nil {
			continue
		}
		text, _ := key[0].(string)
		addr, err := netip.ParseAddr(text)
		proto, hasProto := protoNumber(key[1])
		port, hasPort := numberOf(key[2])
		if err != nil || !hasProto || !hasPort || port > 0xffff {
			continue
		}
		s := Service{Addr: addr, Proto: uint8(proto), Port: uint16(port)}
		for _, rule := range c.rules {
			if s.Marks == nil && rule.leadsTo((*chain).setsMark) {
				s.Marks = rule
			}
			if rule.leadsTo((*chain).sendsElsewhere) {
				s.Rule = rule
			}
		}
		if s.Rule != nil {
			all = append(all, s)
		}
	}
	return all
}

// leadsTo reports whether packets can go from a rule of nft's own to a chain of a kind.
func (r *Rule) leadsTo(is func(*chain) bool) bool {
	return slices.ContainsFunc(r.steps, func(s step) bool {
		return slices.ContainsFunc(s.targets, func(t target) bool { return t.chain != nil && is(t.chain) })
	})
}

// setsMark reports whether a rule of a chain of nft's own sets the mark.
func (c *chain) setsMark() bool {
	return slices.ContainsFunc(c.rules, func(r *Rule) bool {
		return slices.ContainsFunc(r.steps, func(s step) bool { return s.kind == stepSetMark })
	})
}

// sendsElsewhere reports whether a rule of a chain of nft's own gives packets another destination.
func (c *chain) sendsElsewhere() bool {
	return slices.ContainsFunc(c.rules, func(r *Rule) bool {
		return slices.ContainsFunc(r.steps, func(s step) bool {
			return slices.ContainsFunc(s.targets, func(t target) bool { return t.kind == targetDNAT })
		})
	})
}
