package rekey

import (
	"path"
	"strings"

	"github.com/netfault/netfault/detectors/evidence"
)

// treatment says how a file is rewritten.
type treatment struct {
	rewrite rewriter
	// optional is a file without which no detector comes to another answer: where it cannot be read, nothing stands in its
	// place.
	optional bool
}

// Shapes of strings.
var (
	addressOf  = text((*Names).addressText)
	nodeOf     = text((*Names).Node)
	interfaced = text((*Names).iface)
	keywordOf  = text((*Names).keyword)
	keywordsOf = list1(keywordOf)
)

// clusterFiles are the files of a bundle that are no node's, by their path.
var clusterFiles = map[string]treatment{
	evidence.InfoFile: {rewrite: rewriteJSON(object(map[string]shape{
		"version":     number,
		"collectedAt": text((*Names).when),
		"cluster":     text(func(*Names, string) string { return "re-keyed" }),
		"tool":        text((*Names).tool),
		"nodes":       list1(nodeOf),
		"standIns":    list1(text((*Names).standIn)),
	}))},
	evidence.LeasesFile: {rewrite: rewriteJSON(list1(object(map[string]shape{
		"node": nodeOf, "podCIDR": addressOf, "publicIP": addressOf, "backendType": keywordOf, "vni": number, "vtepMAC": addressOf,
		"source": keywordOf,
		"ipv6":   object(map[string]shape{"podCIDR": addressOf, "publicIP": addressOf, "vni": number, "vtepMAC": addressOf}),
	})))},
	evidence.ProbesFile: {rewrite: rewriteJSON(list1(object(map[string]shape{
		"kind": keywordOf, "from": text((*Names).end), "to": text((*Names).end), "source": addressOf, "target": text((*Names).endpoint),
		"ok": number, "answeredBy": text((*Names).pod), "seen": addressOf, "attempts": number, "error": text((*Names).prose),
		"millis": number, "untried": number,
	})))},
	path.Join(evidence.ClusterDir, evidence.ErrorsFile): {rewrite: rewriteErrors, optional: true},
	evidence.NodesFile:          {rewrite: rewriteJSON(items(kubeNode))},
	evidence.ServicesFile:       {rewrite: rewriteJSON(items(kubeService))},
	evidence.EndpointSlicesFile: {rewrite: rewriteJSON(items(kubeSlice))},
	evidence.PodsFile:           {rewrite: rewriteJSON(items(kubePod))},
	evidence.DaemonSetsFile:     {rewrite: rewriteJSON(items(kubeDaemonSet))},
	evidence.KubeProxyFile: {rewrite: rewriteJSON(object(map[string]shape{
		"data": object(map[string]shape{"config.conf": text((*Names).kubeProxy)}),
	}))},
}

// kubeNode is a Kubernetes Node: its name, what flannel notes of it, its addresses, and what distribution it is of.
var kubeNode = object(map[string]shape{
	"apiVersion": keywordOf, "kind": keywordOf,
	"metadata": object(map[string]shape{
		"name": nodeOf,
		"annotations": object(map[string]shape{
			"flannel.alpha.coreos.com/backend-type":          keywordOf,
			"flannel.alpha.coreos.com/backend-data":          text((*Names).backendData),
			"flannel.alpha.coreos.com/backend-v6-data":       text((*Names).backendData),
			"flannel.alpha.coreos.com/public-ip":             addressOf,
			"flannel.alpha.coreos.com/public-ipv6":           addressOf,
			"flannel.alpha.coreos.com/public-ip-overwrite":   addressOf,
			"flannel.alpha.coreos.com/kube-subnet-manager":   keywordOf,
			"k3s.io/node-args":                               text((*Names).nodeArgs),
			"rke.cattle.io/internal-ip":                      addressOf,
			"projectcalico.org/IPv4Address":                  addressOf,
			"flannel.alpha.coreos.com/node-public-ip":        addressOf,
			"flannel.alpha.coreos.com/node-public-ipv6":      addressOf,
			"flannel.alpha.coreos.com/public-ipv6-overwrite": addressOf,
		}),
		"labels": object(map[string]shape{
			"kubernetes.io/hostname":                text((*Names).named),
			"kubernetes.io/os":                      keywordOf,
			"beta.kubernetes.io/os":                 keywordOf,
			"node.kubernetes.io/instance-type":      keywordOf,
			"node-role.kubernetes.io/control-plane": keywordOf,
			"node-role.kubernetes.io/master":        keywordOf,
		}),
	}),
	"spec": object(map[string]shape{"podCIDR": addressOf, "podCIDRs": list1(addressOf)}),
	"status": object(map[string]shape{
		"addresses":  list1(object(map[string]shape{"type": keywordOf, "address": text((*Names).named)})),
		"conditions": list1(object(map[string]shape{"type": keywordOf, "status": keywordOf, "reason": keywordOf})),
		"nodeInfo": object(map[string]shape{
			"kubeletVersion": text((*Names).version), "kernelVersion": text((*Names).version), "operatingSystem": keywordOf,
		}),
	}),
})

// nodeArgs keeps of k3s's arguments whether it is a server.
func (n *Names) nodeArgs(s string) string {
	if strings.HasPrefix(s, `["server"`) {
		return `["server"]`
	}
	return `["agent"]`
}

// backendData re-keys the JSON of flannel's annotation.
func (n *Names) backendData(s string) string {
	out, _, err := rewriteJSON(object(map[string]shape{"VNI": number, "VtepMAC": addressOf}))(n, []byte(s))
	if err != nil && s != "null" {
		return n.word("data", s)
	}
	if s == "null" {
		return s
	}
	return string(out)
}

// nodeFiles are the files under nodes/NODE/.
var nodeFiles = map[string]treatment{
	evidence.LinkFile: {rewrite: rewriteLinks},
	evidence.AddrFile: {rewrite: rewriteJSON(list1(object(map[string]shape{
		"ifindex": number, "ifname": interfaced,
		"addr_info": list1(object(map[string]shape{
			"family": keywordOf, "local": addressOf, "prefixlen": number, "broadcast": addressOf, "address": addressOf,
			"scope": keywordOf, "label": interfaced,
		})),
	})))},
	evidence.RouteFile: {rewrite: rewriteRoutes},
	evidence.NeighFile: {rewrite: rewriteJSON(list1(object(map[string]shape{
		"dst": addressOf, "dev": interfaced, "lladdr": addressOf, "state": keywordsOf,
	})))},
	evidence.FDBFile: {rewrite: rewriteJSON(list1(object(map[string]shape{
		"mac": addressOf, "ifname": interfaced, "dev": interfaced, "dst": addressOf, "flags": keywordsOf, "master": interfaced,
		"vlan": number, "state": keywordOf,
	})))},
	evidence.NFTFile:      {rewrite: rewriteRules},
	evidence.LegacyFile:   {rewrite: rewriteRules},
	evidence.IPTablesFile: {rewrite: rewriteRules},
	evidence.NFTChainsFile: {rewrite: rewriteJSON(object(map[string]shape{
		"nftables": list1(object(map[string]shape{"chain": object(map[string]shape{
			"family": keywordOf, "table": text((*Names).chain), "name": text((*Names).chain), "handle": number, "type": keywordOf,
			"hook": keywordOf, "prio": number, "policy": keywordOf,
		})})),
	}))},
	evidence.SysctlFile:    {rewrite: rewriteSysctl},
	evidence.NetstatFile:   {rewrite: counters},
	evidence.ConntrackFile: {rewrite: rewriteConntrack, optional: true},
	evidence.UnameFile:     {rewrite: verbatim(`^[0-9]{1,4}\.[0-9]{1,4}([.+_-][A-Za-z0-9.+_~-]*)?$`, "what `uname -r` prints")},
	evidence.TWRecycleFile: {rewrite: rewriteJSON(list1(object(map[string]shape{
		"source": text((*Names).prose), "semantics": keywordOf, "value": number, "scope": text((*Names).pod), "dropped": number,
	})))},
	evidence.PolicyFile:         {rewrite: rewriteJSON(list1(policyRule))},
	evidence.NFTRulesetFile:     {rewrite: rewriteJSON(object(map[string]shape{"nftables": list1(shape{any: true})}))},
	evidence.EthtoolFile:        {rewrite: rewriteEthtool},
	evidence.SNMPFile:           {rewrite: counters},
	evidence.ConntrackStatsFile: {rewrite: rewriteConntrackStats},
	evidence.SubnetFile:         {rewrite: rewriteSubnet},
	evidence.ModulesFile:        {rewrite: rewriteModules},
	evidence.LegacyTablesFile:   {rewrite: verbatim(`^(#.*|filter|nat|mangle|raw|security)$`, "the names of iptables' tables")},
	evidence.ErrorsFile:         {rewrite: rewriteErrors, optional: true},
}

// policyRule is an entry of `ip -j rule`.
var policyRule = object(map[string]shape{
	"priority": number, "not": null, "src": addressOf, "srclen": number, "dst": addressOf, "dstlen": number, "tos": keywordOf,
	"fwmark": keywordOf, "fwmask": keywordOf, "iif": interfaced, "oif": interfaced, "uid_start": number, "uid_end": number,
	"ipproto": keywordOf, "sport": number, "sport_start": number, "sport_end": number, "dport": number, "dport_start": number,
	"dport_end": number, "tun_id": number, "table": keywordOf, "suppress_prefixlen": number, "l3mdev": null, "goto": number,
	"nop": null, "action": keywordOf, "protocol": keywordOf,
})

var counters = verbatim(`^[A-Za-z0-9]+:( [A-Za-z0-9_-]+)*$`, `names or numbers behind a protocol such as "TcpExt:"`)

// rewriteLinks re-keys `ip -j -d -s -s link`.
var rewriteLinks = rewriteJSON(list1(object(map[string]shape{
	"ifindex": number, "ifname": interfaced, "link": interfaced, "flags": keywordsOf, "mtu": number, "master": interfaced,
	"operstate": keywordOf, "link_type": keywordOf, "address": addressOf, "broadcast": addressOf,
	"linkinfo": object(map[string]shape{
		"info_kind": keywordOf, "info_slave_kind": keywordOf,
		"info_data": object(map[string]shape{
			"id": number, "link": interfaced, "local": addressOf, "local6": addressOf, "remote": addressOf, "group": addressOf,
			"port": number, "learning": number, "nf_call_iptables": number,
		}),
	}),
	"stats64": object(map[string]shape{"rx": linkCounters, "tx": linkCounters}),
})))

var linkCounters = object(map[string]shape{
	"bytes": number, "packets": number, "errors": number, "dropped": number, "over_errors": number, "multicast": number,
	"length_errors": number, "crc_errors": number, "frame_errors": number, "fifo_errors": number, "missed_errors": number,
	"nohandler": number, "otherhost": number, "carrier_errors": number, "collisions": number, "aborted_errors": number,
	"window_errors": number, "heartbeat_errors": number, "carrier_changes": number,
})
