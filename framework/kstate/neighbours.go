package kstate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netfault/netfault/framework/internal/rtnl"
	"golang.org/x/sys/unix"
)

// What x/sys lacks of linux/neighbour.h.
const (
	ntfSticky   = 0x40
	ndaProtocol = 12
	ndaNHID     = 13
	ndaFlagsExt = 15
)

// settableNeighbourFlags are the NTF_* flags that say whose row it is and how it was set.
const settableNeighbourFlags = unix.NTF_SELF | unix.NTF_MASTER | unix.NTF_PROXY | unix.NTF_EXT_LEARNED | ntfSticky | unix.NTF_ROUTER

var neighbourFields = []field{
	{unix.NDA_DST, "", nil}, // in the object
	{unix.NDA_LLADDR, "lladdr", asMAC}, {ndaProtocol, "proto", asNumber}, {ndaNHID, "nhid", asNumber},
	{ndaFlagsExt, "ext_flags", asFlagsHex}, {unix.NDA_CACHEINFO, "", nil}, {unix.NDA_PROBES, "", nil}, // ages
}

var fdbFields = []field{
	{unix.NDA_LLADDR, "", nil}, {unix.NDA_VLAN, "", nil}, // in the object
	{unix.NDA_DST, "dst", asIP}, {unix.NDA_PORT, "port", asPort}, {unix.NDA_VNI, "vni", asNumber},
	{unix.NDA_SRC_VNI, "src_vni", asNumber}, {unix.NDA_IFINDEX, "via", asDev}, {unix.NDA_MASTER, "master", asDev},
	{ndaNHID, "nhid", asNumber}, {ndaFlagsExt, "ext_flags", asFlagsHex}, {unix.NDA_CACHEINFO, "", nil},
}

// readNeighbours reads what somebody configured: permanent and NOARP entries and proxies.
func readNeighbours(n names) ([]Row, error) {
	entries, err := rtnl.Neighbours(unix.AF_UNSPEC, 0)
	if err != nil {
		return nil, fmt.Errorf("list neighbours: %w", err)
	}
	var proxies [][]byte
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		list, err := rtnl.Neighbours(family, unix.NTF_PROXY)
		if err != nil {
			return nil, fmt.Errorf("list proxy neighbours: %w", err)
		}
		proxies = append(proxies, list...)
	}
	var rows []Row
	for _, m := range slices.Concat(entries, proxies) {
		list, a, err := rtnl.Split(m, unix.SizeofNdMsg)
		if err != nil {
			return nil, fmt.Errorf("list neighbours: %w", err)
		}
		h := rtnl.NdMsg(m)
		if !configured(h, a) {
			continue
		}
		proxy := ""
		if h.Flags&unix.NTF_PROXY != 0 {
			proxy = "proxy "
		}
		rows = append(rows, Row{
			Object:  fmt.Sprintf("%s%s dev %s", proxy, asIP(a[unix.NDA_DST], n), n.name(int(h.Ifindex))),
			Text:    stateText(h) + " " + describe(list, neighbourFields, n),
			Message: neighbourMessage(m, list),
		})
	}
	return rows, nil
}

// configured tells an entry that was set from one that the kernel made: those come and go with traffic. The kernel makes
// NOARP entries for destinations that need no resolution: multicast, broadcast, and all on links without ARP, where the
// address is empty or zero.
func configured(h unix.NdMsg, a rtnl.Attrs) bool {
	switch {
	case h.Family != unix.AF_INET && h.Family != unix.AF_INET6:
		return false
	case h.Flags&unix.NTF_PROXY != 0, h.State&unix.NUD_PERMANENT != 0:
		return true
	case h.State&unix.NUD_NOARP == 0 || a.Addr(unix.NDA_DST).IsMulticast():
		return false
	}
	mac := a[unix.NDA_LLADDR]
	return !all(mac, 0) && !all(mac, 0xff)
}

func all(b []byte, v byte) bool {
	return !slices.ContainsFunc(b, func(x byte) bool { return x != v })
}

// readFDB reads the forwarding rows that somebody set.
func readFDB(n names, links []Link) ([]Row, error) {
	byIndex := make(map[int]Link, len(links))
	for _, l := range links {
		byIndex[l.Index] = l
	}
	msgs, err := rtnl.Neighbours(unix.AF_BRIDGE, 0)
	if err != nil {
		return nil, fmt.Errorf("list forwarding databases: %w", err)
	}
	var rows []Row
	for _, m := range msgs {
		list, a, err := rtnl.Split(m, unix.SizeofNdMsg)
		if err != nil {
			return nil, fmt.Errorf("list forwarding databases: %w", err)
		}
		h := rtnl.NdMsg(m)
		if h.State&(unix.NUD_PERMANENT|unix.NUD_NOARP) == 0 {
			continue // learned
		}
		mac, dev := a[unix.NDA_LLADDR], byIndex[int(h.Ifindex)]
		if h.Flags&unix.NTF_SELF != 0 && dev.Kind != "vxlan" && len(mac) > 0 && mac[0]&1 != 0 {
			continue // a card's multicast filter, which follows from addresses and sockets
		}
		bridge, isPort := byIndex[int(a.Uint32(unix.NDA_MASTER))]
		if text := asMAC(mac, n); isPort && (text == dev.MAC || text == bridge.MAC) {
			continue // a bridge's rows for itself and its ports, which follow from the links
		}
		object := fmt.Sprintf("%s dev %s", asMAC(mac, n), n.name(int(h.Ifindex)))
		if a.Has(unix.NDA_VLAN) {
			object += fmt.Sprintf(" vlan %d", a.Uint16(unix.NDA_VLAN))
		}
		rows = append(rows, Row{
			Object:  object,
			Text:    stateText(h) + " " + describe(list, fdbFields, n),
			Message: neighbourMessage(m, list),
		})
	}
	return rows, nil
}

func stateText(h unix.NdMsg) string {
	var words []string
	switch {
	case h.State&unix.NUD_PERMANENT != 0:
		words = append(words, "permanent")
	case h.State&unix.NUD_NOARP != 0:
		words = append(words, "noarp")
	}
	for _, f := range []struct {
		bit  uint8
		name string
	}{
		{unix.NTF_SELF, "self"}, {unix.NTF_MASTER, "master"}, {unix.NTF_EXT_LEARNED, "extern_learn"},
		{ntfSticky, "sticky"}, {unix.NTF_ROUTER, "router"},
	} {
		if h.Flags&f.bit != 0 {
			words = append(words, f.name)
		}
	}
	return strings.Join(words, " ")
}

// neighbourMessage makes the message that sets the row. NDA_MASTER is only told, never asked for.
func neighbourMessage(m []byte, list []rtnl.Attr) []byte {
	m[10] &= settableNeighbourFlags
	return rtnl.Message(m[:unix.SizeofNdMsg], list, unix.NDA_CACHEINFO, unix.NDA_PROBES, unix.NDA_MASTER)
}
