package rtnl

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// typeMask takes the bits NLA_F_NESTED and NLA_F_NET_BYTEORDER off an attribute's type (linux/netlink.h).
const typeMask = 0x3fff

// Attr is one attribute: its type without the NLA_F_* bits, and its payload.
type Attr struct {
	Type  uint16
	Value []byte
}

// List splits the attributes in b, in their order. They share their bytes with b.
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

// Append appends attributes with their padding (netlink(7)).
func Append(b []byte, attrs ...Attr) []byte {
	for _, a := range attrs {
		b = append(b, nl.NewRtAttr(int(a.Type), a.Value).Serialize()...)
	}
	return b
}

// Message makes a body of a fixed header and attributes, without the attributes of the types that are told.
func Message(header []byte, attrs []Attr, without ...uint16) []byte {
	b := append(slices.Clone(header), make([]byte, align(len(header))-len(header))...)
	for _, a := range attrs {
		if !slices.Contains(without, a.Type) {
			b = Append(b, a)
		}
	}
	return b
}

// Attrs holds attributes by their type. Its getters return zero values for what is absent or too short.
type Attrs map[uint16][]byte

// Parse is List as a map; the last of several attributes of one type wins.
func Parse(b []byte) (Attrs, error) {
	list, err := List(b)
	if err != nil {
		return nil, err
	}
	return byType(list), nil
}

func byType(list []Attr) Attrs {
	attrs := make(Attrs, len(list))
	for _, a := range list {
		attrs[a.Type] = a.Value
	}
	return attrs
}

// Body parses the attributes that follow a fixed header of the given size in bytes.
func Body(msg []byte, header int) (Attrs, error) {
	_, attrs, err := Split(msg, header)
	return attrs, err
}

// Split is Body with the attributes in their order as well. They share their bytes with the message.
func Split(msg []byte, header int) ([]Attr, Attrs, error) {
	header = align(header)
	if len(msg) < header {
		return nil, nil, fmt.Errorf("netlink message of %d bytes is shorter than its header of %d: %w", len(msg), header, syscall.EBADMSG)
	}
	list, err := List(msg[header:])
	return list, byType(list), err
}

// align rounds a length up to where the next part of a message begins.
func align(length int) int { return (length + unix.NLMSG_ALIGNTO - 1) &^ (unix.NLMSG_ALIGNTO - 1) }

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
