package collect

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// The names that iproute2 prints (lib/ll_types.c, lib/rt_names.c, ip/ipaddress.c, ip/iproute.c), without those that an
// administrator adds in /etc/iproute2: there the number is written.

// bit is a flag with its name; the order of a table is the order in which iproute2 prints.
type bit struct {
	mask uint32
	name string
}

// bitNames returns the names of the bits that are set, never nil, and what is left of v.
func bitNames(v uint32, table []bit) (names []string, rest uint32) {
	names = []string{}
	for _, b := range table {
		if v&b.mask != 0 {
			names = append(names, b.name)
			v &^= b.mask
		}
	}
	return names, v
}

var linkFlags = []bit{
	{unix.IFF_LOOPBACK, "LOOPBACK"}, {unix.IFF_BROADCAST, "BROADCAST"}, {unix.IFF_POINTOPOINT, "POINTOPOINT"},
	{unix.IFF_MULTICAST, "MULTICAST"}, {unix.IFF_NOARP, "NOARP"}, {unix.IFF_ALLMULTI, "ALLMULTI"},
	{unix.IFF_PROMISC, "PROMISC"}, {unix.IFF_MASTER, "MASTER"}, {unix.IFF_SLAVE, "SLAVE"}, {unix.IFF_DEBUG, "DEBUG"},
	{unix.IFF_DYNAMIC, "DYNAMIC"}, {unix.IFF_AUTOMEDIA, "AUTOMEDIA"}, {unix.IFF_PORTSEL, "PORTSEL"},
	{unix.IFF_NOTRAILERS, "NOTRAILERS"}, {unix.IFF_UP, "UP"}, {unix.IFF_LOWER_UP, "LOWER_UP"},
	{unix.IFF_DORMANT, "DORMANT"}, {unix.IFF_ECHO, "ECHO"},
}

// linkFlagNames returns the flags as `ip link` prints them. lowerDown says that the link stands on another one of this
// namespace which is not up.
func linkFlagNames(flags uint32, lowerDown bool) []string {
	names, rest := bitNames(flags&^unix.IFF_RUNNING, linkFlags)
	if flags&unix.IFF_UP != 0 && flags&unix.IFF_RUNNING == 0 {
		names = append([]string{"NO-CARRIER"}, names...)
	}
	if rest != 0 {
		names = append(names, strconv.FormatUint(uint64(rest), 16))
	}
	if lowerDown {
		names = append(names, "M-DOWN")
	}
	return names
}

// operStates are the names of RFC 2863's ifOperStatus, by IF_OPER_* (linux/if.h).
var operStates = []string{"UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP"}

func operState(v uint8) string {
	if int(v) < len(operStates) {
		return operStates[v]
	}
	return fmt.Sprintf("%#x", v)
}

// linkAddress formats a link address as its kind of link has it: tunnels have an IP address there.
func linkAddress(arphrd uint16, b []byte) string {
	switch {
	case len(b) == 4 && (arphrd == unix.ARPHRD_TUNNEL || arphrd == unix.ARPHRD_SIT || arphrd == unix.ARPHRD_IPGRE),
		len(b) == 16 && (arphrd == unix.ARPHRD_TUNNEL6 || arphrd == unix.ARPHRD_IP6GRE):
		addr, _ := netip.AddrFromSlice(b)
		return addr.String()
	}
	return net.HardwareAddr(b).String()
}

func family(f uint8) string {
	if f == unix.AF_INET6 {
		return "inet6"
	}
	return "inet"
}

func scope(v uint8) string {
	switch v {
	case unix.RT_SCOPE_UNIVERSE:
		return "global"
	case unix.RT_SCOPE_SITE:
		return "site"
	case unix.RT_SCOPE_LINK:
		return "link"
	case unix.RT_SCOPE_HOST:
		return "host"
	case unix.RT_SCOPE_NOWHERE:
		return "nowhere"
	}
	return strconv.Itoa(int(v))
}

var routeTypes = []string{"none", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable",
	"prohibit", "throw", "nat", "xresolve"}

func routeType(v uint8) string {
	if int(v) < len(routeTypes) {
		return routeTypes[v]
	}
	return strconv.Itoa(int(v))
}

// routerPreference names a value of RFC 4191, 2.1.
func routerPreference(v uint8) string {
	switch v {
	case 0:
		return "medium"
	case 1:
		return "high"
	case 3:
		return "low"
	}
	return strconv.Itoa(int(v))
}

func routeTable(v uint32) string {
	switch v {
	case unix.RT_TABLE_DEFAULT:
		return "default"
	case unix.RT_TABLE_MAIN:
		return "main"
	case unix.RT_TABLE_LOCAL:
		return "local"
	}
	return strconv.FormatUint(uint64(v), 10)
}

var routeProtocols = map[uint8]string{
	unix.RTPROT_UNSPEC: "none", unix.RTPROT_REDIRECT: "redirect", unix.RTPROT_KERNEL: "kernel", unix.RTPROT_BOOT: "boot",
	unix.RTPROT_STATIC: "static", unix.RTPROT_GATED: "gated", unix.RTPROT_RA: "ra", unix.RTPROT_MRT: "mrt",
	unix.RTPROT_ZEBRA: "zebra", unix.RTPROT_BIRD: "bird", unix.RTPROT_DNROUTED: "dnrouted", unix.RTPROT_XORP: "xorp",
	unix.RTPROT_NTK: "ntk", unix.RTPROT_DHCP: "dhcp", unix.RTPROT_KEEPALIVED: "keepalived", unix.RTPROT_BABEL: "babel",
	unix.RTPROT_BGP: "bgp", unix.RTPROT_ISIS: "isis", unix.RTPROT_OSPF: "ospf", unix.RTPROT_RIP: "rip",
	unix.RTPROT_EIGRP: "eigrp",
}

func routeProtocol(v uint8) string {
	if name, ok := routeProtocols[v]; ok {
		return name
	}
	return strconv.Itoa(int(v))
}

var routeFlags = []bit{
	{unix.RTNH_F_DEAD, "dead"}, {unix.RTNH_F_ONLINK, "onlink"}, {unix.RTNH_F_PERVASIVE, "pervasive"},
	{unix.RTNH_F_OFFLOAD, "offload"}, {unix.RTNH_F_TRAP, "trap"}, {unix.RTM_F_NOTIFY, "notify"},
	{unix.RTNH_F_LINKDOWN, "linkdown"}, {unix.RTNH_F_UNRESOLVED, "unresolved"}, {unix.RTM_F_OFFLOAD, "rt_offload"},
	{unix.RTM_F_TRAP, "rt_trap"}, {unix.RTM_F_OFFLOAD_FAILED, "rt_offload_failed"},
}

var neighbourStates = []bit{
	{unix.NUD_INCOMPLETE, "INCOMPLETE"}, {unix.NUD_REACHABLE, "REACHABLE"}, {unix.NUD_STALE, "STALE"},
	{unix.NUD_DELAY, "DELAY"}, {unix.NUD_PROBE, "PROBE"}, {unix.NUD_FAILED, "FAILED"}, {unix.NUD_NOARP, "NOARP"},
	{unix.NUD_PERMANENT, "PERMANENT"},
}

// ntfSticky is NTF_STICKY (linux/neighbour.h): the row does not move to another port.
const ntfSticky = 0x40

var fdbFlags = []bit{
	{unix.NTF_SELF, "self"}, {unix.NTF_ROUTER, "router"}, {unix.NTF_EXT_LEARNED, "extern_learn"},
	{unix.NTF_OFFLOADED, "offload"}, {unix.NTF_MASTER, "master"}, {ntfSticky, "sticky"},
}

func fdbState(v uint16) string {
	switch {
	case v&unix.NUD_PERMANENT != 0:
		return "permanent"
	case v&unix.NUD_NOARP != 0:
		return "static"
	case v&unix.NUD_STALE != 0:
		return "stale"
	case v&unix.NUD_REACHABLE != 0:
		return ""
	}
	return fmt.Sprintf("%#x", v)
}
