package kstate

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/netfault/netfault/framework/internal/rtnl"
	"golang.org/x/sys/unix"
)

// format writes an attribute's payload for people. The numbers of links become names, so that a link that was made again
// under another number gives the same text.
type format func(value []byte, n names) string

// field is an attribute that has a name. A field without a format is left out of the text; it is told elsewhere.
type field struct {
	attr   uint16
	name   string
	format format
}

// describe writes the attributes in the order of fields, then those without a field as hex: nothing that the kernel says
// of a row may be lost, or two rows would look equal that aren't.
func describe(attrs []rtnl.Attr, fields []field, n names) string {
	var words []string
	known := make(map[uint16]bool, len(fields))
	for _, f := range fields {
		known[f.attr] = true
		if f.format == nil {
			continue
		}
		for _, a := range attrs {
			if a.Type == f.attr {
				words = append(words, strings.TrimSpace(f.name+" "+f.format(a.Value, n)))
			}
		}
	}
	for _, a := range attrs {
		if !known[a.Type] {
			words = append(words, fmt.Sprintf("attribute %d %x", a.Type, a.Value))
		}
	}
	return strings.Join(words, " ")
}

func (n names) name(index int) string {
	if name, ok := n[index]; ok {
		return name
	}
	return fmt.Sprintf("if%d", index)
}

func asDev(v []byte, n names) string {
	if len(v) < 4 {
		return asHex(v, n)
	}
	return n.name(int(binary.NativeEndian.Uint32(v)))
}

func asIP(v []byte, n names) string {
	addr, ok := netip.AddrFromSlice(v)
	if !ok {
		return asHex(v, n)
	}
	return addr.String()
}

func asMAC(v []byte, _ names) string { return net.HardwareAddr(v).String() }

func asText(v []byte, _ names) string { return strings.TrimRight(string(v), "\x00") }

func asHex(v []byte, _ names) string { return fmt.Sprintf("%x", v) }

// asNumber reads an integer of any size in the machine's byte order.
func asNumber(v []byte, n names) string {
	switch len(v) {
	case 1:
		return strconv.Itoa(int(v[0]))
	case 2:
		return strconv.Itoa(int(binary.NativeEndian.Uint16(v)))
	case 4:
		return strconv.FormatUint(uint64(binary.NativeEndian.Uint32(v)), 10)
	}
	return asHex(v, n)
}

// asPort reads a port, which is in network byte order.
func asPort(v []byte, n names) string {
	if len(v) < 2 {
		return asHex(v, n)
	}
	return strconv.Itoa(int(binary.BigEndian.Uint16(v)))
}

func familyName(f uint8) string {
	switch f {
	case unix.AF_INET:
		return "inet"
	case unix.AF_INET6:
		return "inet6"
	}
	return fmt.Sprintf("family %d", f)
}

// prefix formats an address attribute and its length; without the attribute it is "default" or "all".
func prefix(v []byte, length uint8, none string) string {
	addr, ok := netip.AddrFromSlice(v)
	if !ok {
		return none
	}
	return netip.PrefixFrom(addr, int(length)).String()
}
