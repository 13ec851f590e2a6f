// Package rtnl makes raw netlink dumps of the current network namespace and reads their attributes, for what
// vishvananda/netlink has no field for. Formats: include/uapi/linux/{netlink,rtnetlink,if_link,neighbour}.h.
package rtnl

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// dumpTries is how often an interrupted dump is started over. The kernel interrupts a dump when the table changes under
// it, so the second try nearly always succeeds.
const dumpTries = 10

// Dump asks the netlink family proto (unix.NETLINK_ROUTE, …) for everything that request, such as unix.RTM_GETLINK, lists,
// and returns the bodies of the answers of type reply. A dump that the kernel says it interrupted (NLM_F_DUMP_INTR) is
// repeated; the error is nl.ErrDumpInterrupted when that happens too often.
func Dump(proto, request int, reply uint16, body ...nl.NetlinkRequestData) ([][]byte, error) {
	for try := 1; ; try++ {
		req := nl.NewNetlinkRequest(request, unix.NLM_F_DUMP)
		for _, b := range body {
			req.AddData(b)
		}
		msgs, err := req.Execute(proto, reply)
		if !errors.Is(err, nl.ErrDumpInterrupted) || try == dumpTries {
			return msgs, err
		}
	}
}

// Links dumps all links with their counters (RTM_NEWLINK bodies).
func Links() ([][]byte, error) {
	return Dump(unix.NETLINK_ROUTE, unix.RTM_GETLINK, unix.RTM_NEWLINK, nl.NewIfInfomsg(unix.AF_UNSPEC))
}

// Addresses dumps all addresses of all families (RTM_NEWADDR bodies).
func Addresses() ([][]byte, error) {
	return Dump(unix.NETLINK_ROUTE, unix.RTM_GETADDR, unix.RTM_NEWADDR, nl.NewIfAddrmsg(unix.AF_UNSPEC))
}

// Routes dumps the routes of a family in all tables (RTM_NEWROUTE bodies), among them the cloned ones (RTM_F_CLONED). A
// kernel without the family would list the others' routes; here it lists none.
func Routes(family int) ([][]byte, error) {
	msgs, err := Dump(unix.NETLINK_ROUTE, unix.RTM_GETROUTE, unix.RTM_NEWROUTE,
		&nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family)}})
	return slices.DeleteFunc(msgs, func(m []byte) bool { return len(m) > 0 && m[0] != uint8(family) }), err
}

// Rules dumps the policy rules of a family (RTM_NEWRULE bodies); none on a kernel without the family.
func Rules(family int) ([][]byte, error) {
	msgs, err := Dump(unix.NETLINK_ROUTE, unix.RTM_GETRULE, unix.RTM_NEWRULE,
		&nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family)}})
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return nil, nil
	}
	return msgs, err
}

// Neighbours dumps the neighbour tables of all links (RTM_NEWNEIGH bodies): ARP and ND for AF_UNSPEC, the forwarding
// databases for AF_BRIDGE. The flag NTF_PROXY asks for the proxy entries instead.
func Neighbours(family int, flags uint8) ([][]byte, error) {
	return Dump(unix.NETLINK_ROUTE, unix.RTM_GETNEIGH, unix.RTM_NEWNEIGH, NewNdMsg(unix.NdMsg{Family: uint8(family), Flags: flags}))
}

// typeMask takes the bits NLA_F_NESTED and NLA_F_NET_BYTEORDER off an attribute's type (linux/netlink.h).
const typeMask = 0x3fff

// Attr is one attribute: its type without the NLA_F_* bits, and its payload.
type Attr struct {
	Type  uint16
	Value []byte
}

// List splits the attributes in b, in their order.
func List(b []byte) ([]Attr, error) {
	raw, err := nl.ParseRouteAttr(b)
	if err != nil {
		return nil, err
	}
	list := make([]Attr, len(raw))
	for i, a := range raw {
		list[i] = Attr{Type: a.Attr.Type & typeMask, Value: a.Value}
	}
	return list, nil
}

// Attrs holds attributes by their type. Its getters return zero values for what is absent or too short.
type Attrs map[uint16][]byte

// Parse is List as a map; the last of several attributes of one type wins.
func Parse(b []byte) (Attrs, error) {
	list, err := List(b)
	if err != nil {
		return nil, err
	}
	attrs := make(Attrs, len(list))
	for _, a := range list {
		attrs[a.Type] = a.Value
	}
	return attrs, nil
}

// Body parses the attributes that follow a fixed header of the given size in bytes.
func Body(msg []byte, header int) (Attrs, error) {
	header = (header + unix.NLMSG_ALIGNTO - 1) &^ (unix.NLMSG_ALIGNTO - 1)
	if len(msg) < header {
		return nil, fmt.Errorf("netlink message of %d bytes is shorter than its header of %d: %w", len(msg), header, syscall.EBADMSG)
	}
	return Parse(msg[header:])
}

// Has says whether the attribute is there, be it empty.
func (a Attrs) Has(t uint16) bool { _, ok := a[t]; return ok }

// Nested returns the attributes inside an attribute.
func (a Attrs) Nested(t uint16) (Attrs, error) { return Parse(a[t]) }

// Uint8 returns a one-byte attribute.
func (a Attrs) Uint8(t uint16) uint8 {
	if v := a[t]; len(v) >= 1 {
		return v[0]
	}
	return 0
}

// Uint16 returns an attribute in the machine's byte order.
func (a Attrs) Uint16(t uint16) uint16 {
	if v := a[t]; len(v) >= 2 {
		return binary.NativeEndian.Uint16(v)
	}
	return 0
}

// Uint16BE returns an attribute in network byte order, as ports are.
func (a Attrs) Uint16BE(t uint16) uint16 {
	if v := a[t]; len(v) >= 2 {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

// Uint32 returns an attribute in the machine's byte order.
func (a Attrs) Uint32(t uint16) uint32 {
	if v := a[t]; len(v) >= 4 {
		return binary.NativeEndian.Uint32(v)
	}
	return 0
}

// Uint32BE returns an attribute in network byte order, as nfnetlink's are.
func (a Attrs) Uint32BE(t uint16) uint32 {
	if v := a[t]; len(v) >= 4 {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

// String returns a text attribute without its terminating NUL.
func (a Attrs) String(t uint16) string {
	return string(bytes.TrimRight(a[t], "\x00"))
}

// Addr returns an IPv4 or IPv6 address attribute; the zero Addr when it is neither.
func (a Attrs) Addr(t uint16) netip.Addr {
	addr, _ := netip.AddrFromSlice(a[t])
	return addr
}
