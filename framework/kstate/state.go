// Package kstate says what it means that the kernel's network state is as it was before: Record takes the state of the
// current network namespace, Diff compares two, Restore goes back to one.
//
// What is state: links, addresses, routes of all tables, neighbours and forwarding rows that somebody configured, policy
// rules, qdiscs and filters, the iptables rules of both worlds (nf_tables and legacy, IPv4 and IPv6), and the writable
// sysctls under /proc/sys/net, and the offloads that links are asked for (ethtool -K).
//
// What is not: counters, ages, timers and lifetimes; what the kernel learned (dynamic neighbours and forwarding rows); what
// follows from the rest by the kernel's own doing and in its own time (default qdiscs, multicast memberships, IPv6 routes
// of the local table and for link-local addresses, whether duplicate address detection is over, carrier); connection
// tracking entries, sockets, native nftables tables, ipsets, xfrm, nexthop objects and ethtool's other settings.
package kstate

import "net"

// Version is the version of State's JSON.
const Version = 1

// State is the state of one network namespace. Its slices are in the order in which the kernel lists them.
type State struct {
	Version    int     `json:"version"`
	Links      []Link  `json:"links"`
	Addresses  []Row   `json:"addresses"`
	Routes     []Row   `json:"routes"`
	Neighbours []Row   `json:"neighbours"`
	FDB        []Row   `json:"fdb"`
	Rules      []Row   `json:"rules"`
	Qdiscs     []Row   `json:"qdiscs"`
	Filters    []Row   `json:"filters"`
	IPTables   []Table `json:"iptables"`
	// Offloads are by link.
	Offloads map[string]string `json:"offloads"`
	// Sysctls are by key as sysctl(8) prints it, with the dots of an interface's name as slashes.
	Sysctls map[string]string `json:"sysctls"`
}

// Link is a network interface.
type Link struct {
	Name  string `json:"name"`
	Index int    `json:"index"`
	// Kind is the rtnetlink kind ("vxlan", "bridge", "veth", …), empty for a device that is not virtual and for lo.
	Kind   string `json:"kind,omitempty"`
	MAC    string `json:"mac,omitempty"`
	MTU    int    `json:"mtu"`
	TxQLen int    `json:"txqlen"`
	// Flags are those of IFF_* that an administrator sets: "up", "noarp", "promisc", "allmulti", "multicast".
	Flags []string `json:"flags"`
	// Master is the name of the bridge (or VRF, bond) that the link is a port of.
	Master string `json:"master,omitempty"`
	// Attributes describes the settings of a VXLAN link or a bridge.
	Attributes string `json:"attributes,omitempty"`
	// Data is the same as in IFLA_INFO_DATA, from which the kernel makes such a link.
	Data []byte `json:"data,omitempty"`
	// Port describes the settings of a bridge's port, and PortData is the same as in IFLA_PROTINFO.
	Port     string `json:"port,omitempty"`
	PortData []byte `json:"portData,omitempty"`
}

// Row is an entry of one of the kernel's tables.
type Row struct {
	// Object names what the row is about; several rows may be about one object.
	Object string `json:"object"`
	// Text describes the row to the full. Rows are equal if object and text are.
	Text string `json:"text"`
	// Message is the body of the netlink message that makes the row. The links' numbers in it are those of State.Links.
	Message []byte `json:"message"`
}

// Table is one iptables table that has rules, chains or a policy other than ACCEPT. Others are not recorded: whether an
// empty table exists depends on who looked last.
type Table struct {
	// Program is "iptables-nft", "iptables-legacy", "ip6tables-nft" or "ip6tables-legacy".
	Program string `json:"program"`
	Name    string `json:"name"`
	// Text is what PROGRAM-save prints of the table, without comment lines and with zero counters.
	Text string `json:"text"`
}

// names maps the numbers of links to their names.
type names map[int]string

func (s State) names() names {
	n := make(names, len(s.Links))
	for _, l := range s.Links {
		n[l.Index] = l.Name
	}
	return n
}

func (s State) link(name string) (Link, bool) {
	for _, l := range s.Links {
		if l.Name == name {
			return l, true
		}
	}
	return Link{}, false
}

func (l Link) hardwareAddr() net.HardwareAddr {
	mac, _ := net.ParseMAC(l.MAC) // Record wrote it; empty where the link has none
	return mac
}
