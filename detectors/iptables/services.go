package iptables

import (
	"net/netip"
	"slices"
	"strings"
)

// Service is an address and port of a Service, as kube-proxy's iptables and nftables modes have it.
type Service struct {
	Addr  netip.Addr
	Proto uint8
	Port  uint16
	// Rule is the one that leads to the Service's endpoints.
	Rule *Rule
	// Marks is the first rule that marks packets to it for masquerading, whichever packets that may be; nil if none does.
	Marks *Rule
}

// The chains are those of kube-proxy (pkg/proxy/iptables/proxier.go in Kubernetes).
const (
	servicesChain = "KUBE-SERVICES"
	servicePrefix = "KUBE-SVC-"
	markChain     = "KUBE-MARK-MASQ"
)

// Services returns the Services of kube-proxy's rules that have endpoints, in their order, most of them at most.
func (r *Rules) Services(most int) []Service {
	if r.world == Native {
		return r.services[:min(len(r.services), most)]
	}
	nat := r.tables["nat"]
	if nat == nil || nat.chains[servicesChain] == nil {
		return nil
	}
	var all []Service
	marks := map[netip.Addr]*Rule{}
	for _, rule := range nat.chains[servicesChain].rules {
		addr, ok := rule.oneDst()
		if !ok || rule.target.kind != targetJump {
			continue
		}
		if rule.target.chain.name == markChain && marks[addr] == nil {
			marks[addr] = rule
		}
		port, ok := rule.onePort()
		if !ok || !strings.HasPrefix(rule.target.chain.name, servicePrefix) {
			continue
		}
		s := Service{Addr: addr, Proto: rule.proto.number, Port: port, Rule: rule, Marks: marks[addr]}
		for _, inner := range rule.target.chain.rules {
			if s.Marks == nil && inner.target.kind == targetJump && inner.target.chain.name == markChain {
				s.Marks = inner
			}
		}
		if all = append(all, s); len(all) == most {
			break
		}
	}
	return all
}

// ClusterIPSet is the name of the set with Services' addresses and ports of kube-proxy's ipvs mode (pkg/proxy/ipvs/ipset.go).
const ClusterIPSet = "KUBE-CLUSTER-IP"

// IPVSMarks returns the rule of kube-proxy's ipvs mode that marks packets to Services for masquerading, whichever packets that may
// be, and the mark; nil where no rule does.
func (r *Rules) IPVSMarks() (*Rule, uint32) {
	nat := r.tables["nat"]
	if nat == nil || nat.chains[servicesChain] == nil {
		return nil, 0
	}
	for _, rule := range nat.chains[servicesChain].rules {
		if rule.target.kind != targetJump || rule.target.chain.name != markChain || !rule.asksSet(ClusterIPSet) {
			continue
		}
		for _, m := range rule.target.chain.rules {
			if m.target.kind == targetMark {
				return rule, m.target.value
			}
		}
	}
	return nil, 0
}

// asksSet reports whether a match of the rule is for an ipset.
func (r *Rule) asksSet(name string) bool {
	return slices.ContainsFunc(r.matches, func(m match) bool { return m.kind == matchSet && m.ipset.name == name })
}

// oneDst returns the destination of a rule that is for one only.
func (r *Rule) oneDst() (netip.Addr, bool) {
	one := r.dst.used && !r.dst.not && r.dst.span.lo == r.dst.span.hi
	return addr4(r.dst.span.lo), one
}

// onePort returns the destination port of a rule that is for one only.
func (r *Rule) onePort() (uint16, bool) {
	for _, m := range r.matches {
		if port, one := m.ports.single(); m.kind == matchDport && !m.not && one {
			return uint16(port), r.proto.used && !r.proto.not
		}
	}
	return 0, false
}
