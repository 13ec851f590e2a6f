package evidence

import "time"

// The types of this file are the parts of the standard tools' JSON that the project reads and writes. Fields that the
// tools print and that nothing here needs are passed over when reading.

// Info is bundle.json.
type Info struct {
	// Version is the version of the bundle's layout, 1.
	Version int `json:"version"`
	// CollectedAt is when the collection began.
	CollectedAt time.Time `json:"collectedAt"`
	// Cluster names the lab or cluster, such as "netns:lab".
	Cluster string `json:"cluster"`
	// Tool and its version, such as "netfault v0.1.0", or "by hand".
	Tool string `json:"tool"`
	// Nodes are those that the bundle is about. Others, which were not collected, make nothing unknown. Where there are
	// none, it is about all nodes of the cluster.
	Nodes []string `json:"nodes,omitempty"`
	// StandIns are what plays the part of a real program on the cluster, such as "a stand-in for flanneld v0.7.1": that is seldom
	// so but on a lab.
	StandIns []string `json:"standIns,omitempty"`
}

// Lease sources.
const (
	FromEtcd       = "etcd"
	FromAnnotation = "annotation"
)

// Lease is one entry of cluster/leases.json: what flannel says of a node's VXLAN tunnel end point.
type Lease struct {
	Node string `json:"node"`
	// PodCIDR is the node's subnet, such as "10.244.1.0/24"; flannel gives its network address to the node's flannel.1.
	PodCIDR string `json:"podCIDR"`
	// PublicIP is the underlay address to which the other nodes send VXLAN packets.
	PublicIP string `json:"publicIP"`
	// BackendType is flannel's backend; only "vxlan" has a VTEP.
	BackendType string `json:"backendType"`
	// VNI is 0 where the lease does not say it: flannel writes it since v0.13.1.
	VNI int `json:"vni"`
	// VtepMAC is the link address of flannel.<VNI> that the lease announces.
	VtepMAC string `json:"vtepMAC"`
	// Source is FromEtcd or FromAnnotation.
	Source string `json:"source"`
	// IPv6 is what the lease says of IPv6; zero where flannel runs without it.
	IPv6 LeaseIPv6 `json:"ipv6,omitzero"`
	// File is the file of the bundle that it was read from, LeasesFile or NodesFile, and Pos its place there.
	File string `json:"-"`
	Pos  Pos    `json:"-"`
}

// LeaseIPv6 is the part of a dual stack's lease that is about IPv6: a VTEP of its own, flannel-v6.<VNI>.
type LeaseIPv6 struct {
	PodCIDR  string `json:"podCIDR"`
	PublicIP string `json:"publicIP"`
	VNI      int    `json:"vni"`
	VtepMAC  string `json:"vtepMAC"`
}

// OfIPv6 returns the lease as it is of IPv6, in the place of IPv4; ok is false where it says nothing of IPv6.
func (l Lease) OfIPv6() (of Lease, ok bool) {
	v6 := l.IPv6
	l.PodCIDR, l.PublicIP, l.VNI, l.VtepMAC, l.IPv6 = v6.PodCIDR, v6.PublicIP, v6.VNI, v6.VtepMAC, LeaseIPv6{}
	return l, v6 != LeaseIPv6{}
}

// Link is one entry of `ip -j -d -s -s link`.
type Link struct {
	Index     int       `json:"ifindex"`
	Name      string    `json:"ifname"`
	Flags     []string  `json:"flags"`
	MTU       int       `json:"mtu"`
	Master    string    `json:"master,omitempty"`
	OperState string    `json:"operstate"`
	LinkType  string    `json:"link_type"`
	Address   string    `json:"address,omitempty"`
	Info      *LinkInfo `json:"linkinfo,omitempty"`
	Stats     *Stats64  `json:"stats64,omitempty"`
	// Pos is its place in the file.
	Pos Pos `json:"-"`
}

// LinkInfo is what `ip -d link` prints of a virtual link.
type LinkInfo struct {
	Kind string   `json:"info_kind,omitempty"`
	Data LinkData `json:"info_data,omitzero"`
}

// LinkData holds the attributes of VXLAN links, and one of bridges.
type LinkData struct {
	ID    int    `json:"id,omitempty"`
	Link  string `json:"link,omitempty"`
	Local string `json:"local,omitempty"`
	Port  int    `json:"port,omitempty"`
	// Learning is always printed by `ip -d` for VXLAN links.
	Learning *bool `json:"learning,omitempty"`
	// NFCallIPTables of a bridge is 1 where packets that cross it pass iptables, whatever
	// net.bridge.bridge-nf-call-iptables is (br_nf_pre_routing in net/bridge/br_netfilter_hooks.c). Nil where the kernel has
	// no netfilter for bridges.
	NFCallIPTables *int `json:"nf_call_iptables,omitempty"`
}

// Stats64 holds the counters of a link.
type Stats64 struct {
	RX RXStats `json:"rx"`
	TX TXStats `json:"tx"`
}

// RXStats counts what a link received.
type RXStats struct {
	Bytes   uint64 `json:"bytes"`
	Packets uint64 `json:"packets"`
	Errors  uint64 `json:"errors"`
	Dropped uint64 `json:"dropped"`
	// OtherHost counts frames addressed to another link address (rx_otherhost_dropped, Linux 5.19 and newer); `ip`
	// leaves it out when it is 0.
	OtherHost uint64 `json:"otherhost,omitempty"`
}

// TXStats counts what a link sent.
type TXStats struct {
	Bytes   uint64 `json:"bytes"`
	Packets uint64 `json:"packets"`
	Errors  uint64 `json:"errors"`
	Dropped uint64 `json:"dropped"`
}

// LinkAddrs is one entry of `ip -j addr`: a link and its addresses.
type LinkAddrs struct {
	Index int    `json:"ifindex"`
	Name  string `json:"ifname"`
	Addrs []Addr `json:"addr_info"`
}

// Addr is one address of a link.
type Addr struct {
	Family    string `json:"family"`
	Local     string `json:"local"`
	PrefixLen int    `json:"prefixlen"`
	Broadcast string `json:"broadcast,omitempty"`
	Scope     string `json:"scope"`
	Label     string `json:"label,omitempty"`
}

// Route is one entry of `ip -j route show table all`.
type Route struct {
	// Type is empty for unicast.
	Type     string   `json:"type,omitempty"`
	Dst      string   `json:"dst"`
	Gateway  string   `json:"gateway,omitempty"`
	Dev      string   `json:"dev,omitempty"`
	Table    string   `json:"table,omitempty"`
	Protocol string   `json:"protocol,omitempty"`
	Scope    string   `json:"scope,omitempty"`
	PrefSrc  string   `json:"prefsrc,omitempty"`
	Metric   int      `json:"metric,omitempty"`
	Flags    []string `json:"flags"`
	// Pref is an IPv6 route's preference among routers, "medium" in most; IPv4 routes have none.
	Pref string `json:"pref,omitempty"`
	// IPv6 says of which family the route is; Bundle.Routes sets it.
	IPv6 bool `json:"-"`
	// Pos is its place in the file.
	Pos Pos `json:"-"`
}

// PolicyRule is one entry of `ip -j rule`: a packet that has all that the rule names is routed by its Table or action. An
// attribute that is empty or nil is not asked for.
type PolicyRule struct {
	Priority int `json:"priority"`
	// Not turns the rule's conditions round.
	Not NullFlag `json:"not,omitzero"`
	// Src is an address, or "all"; SrcLen is the length of its prefix, 0 for a single address. Dst and DstLen likewise.
	Src    string `json:"src"`
	SrcLen int    `json:"srclen,omitempty"`
	Dst    string `json:"dst,omitempty"`
	DstLen int    `json:"dstlen,omitempty"`
	TOS    string `json:"tos,omitempty"`
	// FWMark is the packet's mark, such as "0x4000", of the bits in FWMask; of all bits where that is empty.
	FWMark   string `json:"fwmark,omitempty"`
	FWMask   string `json:"fwmask,omitempty"`
	IIF      string `json:"iif,omitempty"`
	OIF      string `json:"oif,omitempty"`
	UIDStart *int64 `json:"uid_start,omitempty"`
	UIDEnd   *int64 `json:"uid_end,omitempty"`
	IPProto  string `json:"ipproto,omitempty"`
	// SPort is a single port; SPortStart and SPortEnd are a range. DPort likewise.
	SPort      int    `json:"sport,omitempty"`
	SPortStart int    `json:"sport_start,omitempty"`
	SPortEnd   int    `json:"sport_end,omitempty"`
	DPort      int    `json:"dport,omitempty"`
	DPortStart int    `json:"dport_start,omitempty"`
	DPortEnd   int    `json:"dport_end,omitempty"`
	TunID      uint64 `json:"tun_id,omitempty"`
	// Table is where the route is looked up. Rules with an Action or a Goto have none.
	Table string `json:"table,omitempty"`
	// SuppressPrefixLen makes a route not count whose prefix is of this length or shorter: 0 passes over default routes.
	SuppressPrefixLen *int `json:"suppress_prefixlen,omitempty"`
	// L3MDev looks up the table of the VRF that the packet belongs to.
	L3MDev NullFlag `json:"l3mdev,omitzero"`
	// Goto is the priority of the rule to go on with.
	Goto *int `json:"goto,omitempty"`
	// NOP goes on with the next rule.
	NOP NullFlag `json:"nop,omitzero"`
	// Action is "blackhole", "unreachable", "prohibit" or "nat".
	Action   string `json:"action,omitempty"`
	Protocol string `json:"protocol,omitempty"`
	// Pos is its place in the file.
	Pos Pos `json:"-"`
}

// NullFlag is a member that iproute2 prints with the value null where it is set, and not at all where it is not.
type NullFlag bool

// MarshalJSON writes null.
func (NullFlag) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// UnmarshalJSON reads any value as set.
func (f *NullFlag) UnmarshalJSON([]byte) error {
	*f = true
	return nil
}

// Neighbour is one entry of `ip -j neigh show nud all`.
type Neighbour struct {
	Dst string `json:"dst"`
	Dev string `json:"dev"`
	// LLAddr is empty while the neighbour is unresolved.
	LLAddr string   `json:"lladdr,omitempty"`
	State  []string `json:"state"`
}

// FDBEntry is one entry of `bridge -j fdb`.
type FDBEntry struct {
	MAC   string   `json:"mac"`
	Dev   string   `json:"ifname"`
	Dst   string   `json:"dst,omitempty"`
	Flags []string `json:"flags,omitempty"`
	// Master is the bridge that the row belongs to; rows of a VXLAN link itself have the flag "self" instead.
	Master string `json:"master,omitempty"`
	VLAN   int    `json:"vlan,omitempty"`
	State  string `json:"state,omitempty"`
}

// Probe kinds, as they stand in cluster/probes.json.
const (
	ProbePod      = "pod"
	ProbeService  = "service"
	ProbeNodePort = "nodeport"
	ProbeDNS      = "dns"
	ProbeEgress   = "egress"
	// ProbeLarge is a connection from pod to pod whose packets are as large as the pods' interfaces let them be.
	ProbeLarge = "large"
)

// Probe is one entry of cluster/probes.json: one connection that was tried, and what both ends saw.
type Probe struct {
	// Kind is one of the Probe constants.
	Kind string `json:"kind"`
	// From is the node of the client pod; for a NodePort, the node whose address was called from outside.
	From string `json:"from"`
	// To is the node of the pod that must answer; for egress, the host outside the cluster.
	To string `json:"to"`
	// Source is the client's own address.
	Source string `json:"source"`
	// Target is what was called, such as "10.96.0.11:80".
	Target string `json:"target"`
	// OK says that the expected server answered before the deadline.
	OK bool `json:"ok"`
	// AnsweredBy is the name that the server gave of itself.
	AnsweredBy string `json:"answeredBy,omitempty"`
	// Seen is the client's address as the server saw it.
	Seen string `json:"seen,omitempty"`
	// Attempts is how many connections were opened: 2 when the first was not answered within half of the deadline. It
	// may be 0 in a file made by hand.
	Attempts int `json:"attempts,omitempty"`
	// Error says why not OK.
	Error string `json:"error,omitempty"`
	// Untried says that no packet was sent, for the reason in Error: the probe shows nothing.
	Untried bool `json:"untried,omitempty"`
	// Millis is how long it took, in milliseconds.
	Millis float64 `json:"millis"`
	// Pos is its place in the file.
	Pos Pos `json:"-"`
}
