package kstate

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/netfault/netfault/framework/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Attributes newer than x/sys (linux/if_addr.h).
const (
	ifaRTPriority = 9
	ifaProto      = 11
)

// settableAddrFlags are the flags that an administrator gives; the others say how far duplicate address detection is, or
// follow from the order of addresses.
const settableAddrFlags = unix.IFA_F_NODAD | unix.IFA_F_HOMEADDRESS | unix.IFA_F_MANAGETEMPADDR |
	unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_MCAUTOJOIN

var addressFields = []field{
	{unix.IFA_ADDRESS, "peer", nil}, {unix.IFA_LOCAL, "local", nil}, // in the object
	{unix.IFA_BROADCAST, "brd", asIP}, {unix.IFA_ANYCAST, "any", asIP}, {unix.IFA_LABEL, "label", asText},
	{ifaRTPriority, "metric", asNumber},
	{unix.IFA_FLAGS, "flags", asFlagsHex},
	{unix.IFA_CACHEINFO, "lifetimes", nil},
	{ifaProto, "proto", nil}, // who made it; Linux 5.18
}

func asFlagsHex(v []byte, n names) string {
	if len(v) != 4 {
		return asHex(v, n)
	}
	return fmt.Sprintf("%#x", binary.NativeEndian.Uint32(v))
}

func readAddresses(n names) ([]Row, error) {
	msgs, err := rtnl.Addresses()
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	rows := make([]Row, 0, len(msgs))
	for _, m := range msgs {
		list, a, err := rtnl.Split(m, unix.SizeofIfAddrmsg)
		if err != nil {
			return nil, fmt.Errorf("list addresses: %w", err)
		}
		h := nl.DeserializeIfAddrmsg(m)
		if h.Family != unix.AF_INET && h.Family != unix.AF_INET6 {
			continue
		}
		h.Flags &= settableAddrFlags & 0xff
		for _, attr := range list {
			if attr.Type == unix.IFA_FLAGS && len(attr.Value) == 4 {
				flags := binary.NativeEndian.Uint32(attr.Value) & settableAddrFlags
				binary.NativeEndian.PutUint32(attr.Value, flags)
			}
		}
		rows = append(rows, Row{
			Object:  n.name(int(h.Index)) + " " + addressText(a, h.Prefixlen),
			Text:    strings.TrimSpace("scope " + strconv.Itoa(int(h.Scope)) + " " + describe(list, addressFields, n)),
			Message: rtnl.Message(m[:unix.SizeofIfAddrmsg], list, unix.IFA_CACHEINFO),
		})
	}
	return rows, nil
}

// addressText formats an address as `ip addr` does: IFA_ADDRESS is the peer's where IFA_LOCAL differs (rtnetlink(7)).
func addressText(a rtnl.Attrs, length uint8) string {
	local, addr := a.Addr(unix.IFA_LOCAL), a.Addr(unix.IFA_ADDRESS)
	if !local.IsValid() || local == addr {
		return netip.PrefixFrom(addr, int(length)).String()
	}
	return local.String() + " peer " + netip.PrefixFrom(addr, int(length)).String()
}
