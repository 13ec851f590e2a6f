package kstate

import (
	"fmt"
	"strings"

	"github.com/netfault/netfault/framework/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// settableRouteFlags are the flags of a route or next hop that an administrator gives (linux/rtnetlink.h).
const settableRouteFlags = unix.RTNH_F_ONLINK | unix.RTNH_F_PERVASIVE

// Attribute newer than x/sys (linux/rtnetlink.h).
const rtaNHID = 30

var routeFields = []field{
	{unix.RTA_DST, "", nil}, {unix.RTA_SRC, "", nil}, {unix.RTA_TABLE, "", nil}, {unix.RTA_PRIORITY, "", nil}, // in the object
	{unix.RTA_GATEWAY, "via", asIP}, {unix.RTA_VIA, "via", asHex}, {unix.RTA_OIF, "dev", asDev},
	{unix.RTA_PREFSRC, "src", asIP}, {unix.RTA_METRICS, "", asMetrics}, {rtaNHID, "nhid", asNumber},
	{unix.RTA_CACHEINFO, "", nil}, // ages
}

// metricFields are the commonest of RTAX_* (linux/rtnetlink.h).
var metricFields = []field{
	{unix.RTAX_LOCK, "lock", asNumber}, {unix.RTAX_MTU, "mtu", asNumber}, {unix.RTAX_ADVMSS, "advmss", asNumber},
	{unix.RTAX_HOPLIMIT, "hoplimit", asNumber}, {unix.RTAX_INITCWND, "initcwnd", asNumber},
}

func asMetrics(v []byte, n names) string {
	list, err := rtnl.List(v)
	if err != nil {
		return asHex(v, n)
	}
	return describe(list, metricFields, n)
}

func readRoutes(n names) ([]Row, error) {
	var rows []Row
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		msgs, err := rtnl.Routes(family)
		if err != nil {
			return nil, fmt.Errorf("list routes: %w", err)
		}
		for _, m := range msgs {
			row, keep, err := readRoute(m, n)
			if err != nil {
				return nil, fmt.Errorf("list routes: %w", err)
			}
			if keep {
				rows = append(rows, row)
			}
		}
	}
	return rows, nil
}

func readRoute(m []byte, n names) (row Row, keep bool, err error) {
	list, a, err := rtnl.Split(m, unix.SizeofRtMsg)
	if err != nil {
		return row, false, err
	}
	h := nl.DeserializeRtMsg(m)
	if h.Flags&unix.RTM_F_CLONED != 0 || followsAddresses(h, a) {
		return row, false, nil
	}
	h.Flags &= settableRouteFlags
	words := []string{fmt.Sprintf("type %d protocol %d scope %d", h.Type, h.Protocol, h.Scope),
		describe(withoutHops(list), routeFields, n)}
	if h.Flags != 0 {
		words = append(words, fmt.Sprintf("flags %#x", h.Flags))
	}
	for _, attr := range list {
		if attr.Type == unix.RTA_MULTIPATH {
			hops, err := readHops(attr.Value, n)
			if err != nil {
				return row, false, err
			}
			words = append(words, hops...)
		}
	}
	table := uint32(h.Table)
	if a.Has(unix.RTA_TABLE) { // numbers above 255 fit only here
		table = a.Uint32(unix.RTA_TABLE)
	}
	object := fmt.Sprintf("%s table %d %s metric %d", familyName(h.Family), table,
		prefix(a[unix.RTA_DST], h.Dst_len, "default"), a.Uint32(unix.RTA_PRIORITY))
	if h.Src_len != 0 {
		object += " from " + prefix(a[unix.RTA_SRC], h.Src_len, "all")
	}
	if h.Tos != 0 {
		object += fmt.Sprintf(" tos %#x", h.Tos)
	}
	return Row{
		Object:  object,
		Text:    strings.Join(words, " "),
		Message: rtnl.Message(m[:unix.SizeofRtMsg], list, unix.RTA_CACHEINFO),
	}, true, nil
}

// followsAddresses says whether the kernel makes and removes the IPv6 route by itself, in its own time: with an address
// once duplicate address detection is over, and with a link for link-local and multicast destinations.
func followsAddresses(h *nl.RtMsg, a rtnl.Attrs) bool {
	if h.Family != unix.AF_INET6 || h.Protocol != unix.RTPROT_KERNEL {
		return false
	}
	dst := a.Addr(unix.RTA_DST)
	return h.Type != unix.RTN_UNICAST || dst.IsLinkLocalUnicast() || dst.IsMulticast()
}

func withoutHops(list []rtnl.Attr) []rtnl.Attr {
	var rest []rtnl.Attr
	for _, a := range list {
		if a.Type != unix.RTA_MULTIPATH {
			rest = append(rest, a)
		}
	}
	return rest
}

// readHops describes next hops, and takes the flags off that the kernel sets.
func readHops(b []byte, n names) ([]string, error) {
	hops, err := rtnl.Nexthops(b)
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, h := range hops {
		h.Header[2] &= settableRouteFlags
		list, err := rtnl.List(h.Attrs)
		if err != nil {
			return nil, err
		}
		texts = append(texts, fmt.Sprintf("nexthop %s dev %s weight %d flags %#x", describe(list, routeFields, n),
			asDev(h.Header[4:], n), int(h.Header[3])+1, h.Header[2]))
	}
	return texts, nil
}
