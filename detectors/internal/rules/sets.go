package rules

import (
	"net/netip"

	"github.com/netfault/netfault/detectors/iptables"
)

// Sets says what the names of ipsets tell of addresses of pods: their owners define what is in them.
func Sets(pods []netip.Prefix) map[string]iptables.KnownSet {
	sets := map[string]iptables.KnownSet{
		// Endpoints on this node, each with its port, and itself as the source (kube-proxy, pkg/proxy/ipvs/proxier.go).
		"KUBE-LOOP-BACK": {Hairpin: true},
		// The networks that Calico's pods have their addresses from (felix, rules/static.go). Without pools there is no pod of
		// Calico's, and the rule beside it, for pools with natOutgoing, has none either.
		"cali40all-ipam-pools": {Has: pods},
	}
	// kube-proxy's sets of Services' addresses, of load balancers' and of nodes'; and Calico's of hosts.
	for _, name := range []string{
		"KUBE-CLUSTER-IP", "KUBE-EXTERNAL-IP", "KUBE-EXTERNAL-IP-LOCAL", "KUBE-LOAD-BALANCER", "KUBE-LOAD-BALANCER-LOCAL",
		"KUBE-LOAD-BALANCER-FW", "KUBE-LOAD-BALANCER-SOURCE-IP", "KUBE-LOAD-BALANCER-SOURCE-CIDR", "KUBE-NODE-PORT-SCTP-HASH",
		"KUBE-NODE-PORT-LOCAL-SCTP-HASH", "KUBE-IPVS-IPS", "cali40all-hosts-net", "cali40this-host", "cali40all-vxlan-net",
	} {
		sets[name] = iptables.KnownSet{Lacks: pods}
	}
	return sets
}
