// Package kubeproxy writes the iptables rules of kube-proxy for a given set of Services: its chains, their order and
// their comments, as pkg/proxy/iptables/proxier.go of Kubernetes v1.34 does (syncProxyRules).
package kubeproxy

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net/netip"
	"strings"
)

// Service is one port of a Service with its endpoints.
type Service struct {
	// Name is namespace/name, or namespace/name:port for a named port.
	Name      string
	Protocol  string // "tcp" or "udp"
	ClusterIP netip.Addr
	Port      int
	// NodePort is 0 for a Service without one.
	NodePort  int
	Endpoints []netip.AddrPort
}

// Rules returns the input of `iptables-restore --noflush` for a node. Applied to a node that has none of kube-proxy's
// rules yet, it leaves what kube-proxy's first synchronisation leaves.
func Rules(clusterCIDR netip.Prefix, services []Service) string {
	var chains, rules strings.Builder
	chain := func(name string) { fmt.Fprintf(&chains, ":%s - [0:0]\n", name) }
	rule := func(format string, args ...any) { fmt.Fprintf(&rules, format+"\n", args...) }

	for _, name := range []string{"KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ"} {
		chain(name)
	}
	rule(`-I PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES`)
	rule(`-I OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES`)
	rule(`-I POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING`)
	rule(`-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN`)
	rule(`-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000`)
	rule(`-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully`)
	rule(`-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000`)
	for _, s := range services {
		writeService(clusterCIDR, s, chain, rule)
	}
	rule(`-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS`)

	return "*nat\n" + chains.String() + rules.String() + "COMMIT\n" + filterTable
}

// filterTable accepts forwarded Service traffic whatever the policy of FORWARD is.
const filterTable = `*filter
:KUBE-FORWARD - [0:0]
-I FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
`

func writeService(clusterCIDR netip.Prefix, s Service, chain func(string), rule func(string, ...any)) {
	svc := "KUBE-SVC-" + hash(s.Name+s.Protocol)
	ext := "KUBE-EXT-" + hash(s.Name+s.Protocol)
	chain(svc)
	rule(`-A KUBE-SERVICES -m comment --comment "%s cluster IP" -m %s -p %s -d %s --dport %d -j %s`,
		s.Name, s.Protocol, s.Protocol, s.ClusterIP, s.Port, svc)
	if s.NodePort != 0 {
		chain(ext)
		rule(`-A KUBE-NODEPORTS -m comment --comment %s -m %s -p %s --dport %d -j %s`, s.Name, s.Protocol, s.Protocol, s.NodePort, ext)
		rule(`-A %s -m comment --comment "masquerade traffic for %s external destinations" -j KUBE-MARK-MASQ`, ext, s.Name)
		rule(`-A %s -j %s`, ext, svc)
	}
	rule(`-A %s -m comment --comment "%s cluster IP" -m %s -p %s -d %s --dport %d ! -s %s -j KUBE-MARK-MASQ`,
		svc, s.Name, s.Protocol, s.Protocol, s.ClusterIP, s.Port, clusterCIDR)
	for i, ep := range s.Endpoints {
		sep := "KUBE-SEP-" + hash(s.Name+s.Protocol+ep.String())
		chain(sep)
		share := ""
		if left := len(s.Endpoints) - i; left > 1 {
			share = fmt.Sprintf(" -m statistic --mode random --probability %.10f", 1/float64(left))
		}
		rule(`-A %s -m comment --comment "%s -> %s"%s -j %s`, svc, s.Name, ep, share, sep)
		rule(`-A %s -m comment --comment %s -s %s -j KUBE-MARK-MASQ`, sep, s.Name, ep.Addr())
		rule(`-A %s -m comment --comment %s -m %s -p %s -j DNAT --to-destination %s`, sep, s.Name, s.Protocol, s.Protocol, ep)
	}
}

// hash is kube-proxy's own way to a chain name that fits iptables' 28 characters (portProtoHash).
func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base32.StdEncoding.EncodeToString(sum[:])[:16]
}
