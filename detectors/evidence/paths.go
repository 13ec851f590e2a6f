package evidence

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// Paths of a bundle. Those without a slash stand under nodes/NODE/.
const (
	InfoFile   = "bundle.json"
	LeasesFile = "cluster/leases.json"
	NodesFile  = "cluster/nodes.json"
	ProbesFile = "cluster/probes.json"

	ServicesFile       = "cluster/services.json"
	EndpointSlicesFile = "cluster/endpointslices.json"
	PodsFile           = "cluster/pods.json"
	DaemonSetsFile     = "cluster/daemonsets.json"
	KubeProxyFile      = "cluster/kube-proxy.json"

	// ErrorsFile stands beside the files that it is about, a node's or the cluster's, and says what could not be collected and
	// why, a line "FILE: reason" for each. It is there only if something failed.
	ErrorsFile = "collect-errors.txt"
	// WholeNode stands in a node's ErrorsFile for FILE where the node as a whole could not be collected.
	WholeNode = "node"

	// CapturesDir is a folder of captures under nodes/NODE/.
	CapturesDir = "captures"

	LinkFile = "ip-link.json"
	// LinkLaterFile is Later(LinkFile).
	LinkLaterFile = "ip-link-later.json"
	AddrFile      = "ip-addr.json"
	RouteFile     = "ip-route.json"
	NeighFile     = "ip-neigh.json"
	FDBFile       = "bridge-fdb.json"
	NFTFile       = "iptables-nft-save.txt"
	LegacyFile    = "iptables-legacy-save.txt"
	IPTablesFile  = "iptables-save.txt"
	NFTChainsFile = "nft-chains.json"
	SysctlFile    = "sysctl.txt"
	NetstatFile   = "netstat.txt"
	ConntrackFile = "conntrack.txt"
	UnameFile     = "uname.txt"
	TWRecycleFile = "tw-recycle.json"

	PolicyFile         = "ip-rule.json"
	NFTRulesetFile     = "nft-ruleset.json"
	EthtoolFile        = "ethtool.txt"
	SNMPFile           = "snmp.txt"
	ConntrackStatsFile = "conntrack-stats.txt"
	SubnetFile         = "subnet.env"
	ModulesFile        = "modules.txt"
	LegacyTablesFile   = "ip-tables-names.txt"
)

// Later returns the name of a file that is taken again when everything else is over, so that counters can be seen to grow:
// "snmp-later.txt" for "snmp.txt".
func Later(file string) string {
	ext := path.Ext(file)
	return strings.TrimSuffix(file, ext) + "-later" + ext
}

// NodesDir is the folder of a bundle that holds one for each node, and ClusterDir that of what is no node's.
const (
	NodesDir   = "nodes"
	ClusterDir = "cluster"
)

// LayoutVersion is the bundle layout that this package reads and writes.
const LayoutVersion = 1

// nodeName is what Kubernetes allows (RFC 1123 subdomain), so that a name can stand in a path and on a command line.
var nodeName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)

// CheckNodeName returns an error unless name is a valid Kubernetes node name (RFC 1123, at most 253 characters).
func CheckNodeName(name string) error {
	if len(name) > 253 || !nodeName.MatchString(name) {
		return fmt.Errorf("%q is not a node name: want lower-case letters, digits, '-' and '.' (RFC 1123)", name)
	}
	return nil
}

// NodeFile returns the path inside a bundle of one node's file.
func NodeFile(node, file string) string {
	return path.Join(NodesDir, node, file)
}
