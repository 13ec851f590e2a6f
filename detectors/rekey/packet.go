package rekey

import (
	"encoding/binary"
	"net/netip"

	"github.com/gopacket/gopacket/layers"

	"github.com/netfault/netfault/detectors/evidence"
)

func linkKnown(link layers.LinkType) bool {
	switch link {
	case layers.LinkTypeEthernet, layers.LinkTypeLinuxSLL, layers.LinkTypeLinuxSLL2, layers.LinkTypeRaw, layers.LinkTypeIPv4,
		layers.LinkTypeIPv6:
		return true
	}
	return false
}

// packet re-keys the headers of a packet, in place, and returns it up to the end of what is known: Ethernet or what stands
// for it, ARP, IPv4, IPv6, TCP, UDP, and the first words of ICMP. What follows is cut off, as a shorter -s of tcpdump would.
// Checksums of IPv4, TCP and UDP are right afterwards if they were before, as far as the whole packet is concerned; that of
// ICMP is 0, since it covers what is cut off. Options that may hold addresses or secrets become padding.
func (n *Names) packet(link layers.LinkType, p []byte) []byte {
	switch link {
	case layers.LinkTypeEthernet:
		return n.ethernet(p)
	case layers.LinkTypeLinuxSLL:
		// Type, ARPHRD, length of the address, 8 bytes of address, protocol.
		if len(p) < 16 {
			return p[:0]
		}
		n.cooked(p[4:6], p[6:14])
		return p[:16+n.network(binary.BigEndian.Uint16(p[14:]), p[16:])]
	case layers.LinkTypeLinuxSLL2:
		// Protocol, reserved, interface, ARPHRD, type, length of the address, 8 bytes of address.
		if len(p) < 20 {
			return p[:0]
		}
		n.cooked([]byte{0, p[11]}, p[12:20])
		return p[:20+n.network(binary.BigEndian.Uint16(p), p[20:])]
	}
	if len(p) > 0 && p[0]>>4 == 6 {
		return p[:n.ipv6(p)]
	}
	return p[:n.ipv4(p)]
}

// cooked re-keys the sender's link address of a cooked header.
func (n *Names) cooked(length, address []byte) {
	if binary.BigEndian.Uint16(length) == 6 {
		n.macIn(address)
		clear(address[6:])
		return
	}
	clear(address)
}

func (n *Names) macIn(b []byte) {
	var m [8]byte
	copy(m[2:], b[:6])
	binary.BigEndian.PutUint64(m[:], uint64(n.mac(evidence.MAC(binary.BigEndian.Uint64(m[:])))))
	copy(b, m[2:])
}

func (n *Names) addrIn(b []byte) {
	a, _ := netip.AddrFromSlice(b)
	copy(b, n.addr(a).AsSlice())
}

const (
	etherIPv4  = 0x0800
	etherARP   = 0x0806
	etherVLAN  = 0x8100
	etherIPv6  = 0x86dd
	etherQinQ  = 0x88a8
	etherLen   = 14
	vlanLen    = 4
	ipv6Len    = 40
	protoICMP  = 1
	protoTCP   = 6
	protoUDP   = 17
	protoICMP6 = 58
)

func (n *Names) ethernet(p []byte) []byte {
	if len(p) < etherLen {
		return p[:0]
	}
	n.macIn(p[0:6])
	n.macIn(p[6:12])
	end, kind := etherLen, binary.BigEndian.Uint16(p[12:])
	for (kind == etherVLAN || kind == etherQinQ) && len(p) >= end+vlanLen {
		kind = binary.BigEndian.Uint16(p[end+2:])
		end += vlanLen
	}
	return p[:end+n.network(kind, p[end:])]
}

// network re-keys what stands behind a link's header and returns how much of it is kept.
func (n *Names) network(kind uint16, p []byte) int {
	switch kind {
	case etherIPv4:
		return n.ipv4(p)
	case etherIPv6:
		return n.ipv6(p)
	case etherARP:
		return n.arp(p)
	}
	return 0
}

// arp re-keys ARP for IPv4 on Ethernet (RFC 826).
func (n *Names) arp(p []byte) int {
	const length = 28
	if len(p) < length || binary.BigEndian.Uint32(p) != 0x00010800 || p[4] != 6 || p[5] != 4 {
		return 0
	}
	n.macIn(p[8:14])
	n.addrIn(p[14:18])
	n.macIn(p[18:24])
	n.addrIn(p[24:28])
	return length
}

func (n *Names) ipv4(p []byte) int {
	const fixed = 20
	if len(p) < fixed || p[0]>>4 != 4 {
		return 0
	}
	header := int(p[0]&0xf) * 4
	if header < fixed || header > len(p) {
		return 0
	}
	// Behind the packet's length there is padding; 0 stands for a length that hardware fills in.
	if total := int(binary.BigEndian.Uint16(p[2:])); total >= header && total < len(p) {
		p = p[:total]
	}
	old := [8]byte(p[12:20])
	n.addrIn(p[12:16])
	n.addrIn(p[16:20])
	for i := fixed; i < header; i++ {
		p[i] = 1 // no operation (RFC 791)
	}
	binary.BigEndian.PutUint16(p[10:], 0)
	binary.BigEndian.PutUint16(p[10:], ^fold(sum(p[:header])))
	const offset = 0x1fff
	if binary.BigEndian.Uint16(p[6:])&offset != 0 {
		return header
	}
	return header + n.transport(p[9], p[header:], old[:], p[12:20])
}

func (n *Names) ipv6(p []byte) int {
	if len(p) < ipv6Len || p[0]>>4 != 6 {
		return 0
	}
	if length := int(binary.BigEndian.Uint16(p[4:])); length > 0 && ipv6Len+length < len(p) {
		p = p[:ipv6Len+length]
	}
	old := [32]byte(p[8:40])
	n.addrIn(p[8:24])
	n.addrIn(p[24:40])
	return ipv6Len + n.transport(p[6], p[ipv6Len:], old[:], p[8:40])
}

// transport keeps the header behind an IP header, and its checksum right for new addresses.
func (n *Names) transport(proto byte, p, old, new []byte) int {
	switch proto {
	case protoTCP:
		return tcp(p, old, new)
	case protoUDP:
		const length = 8
		if len(p) < length {
			return 0
		}
		if check := binary.BigEndian.Uint16(p[6:]); check != 0 {
			// 0 would mean that there is none (RFC 768).
			if check = adjust(check, old, new); check == 0 {
				check = 0xffff
			}
			binary.BigEndian.PutUint16(p[6:], check)
		}
		return length
	case protoICMP, protoICMP6:
		// Type, code, checksum, and of echo the identifier and number.
		const length = 8
		if len(p) < length {
			return 0
		}
		clear(p[2:4])
		return length
	}
	return 0
}

// tcp keeps a TCP header, or what the capture has of one.
func tcp(p, old, new []byte) int {
	const fixed = 20
	if len(p) < fixed {
		return 0
	}
	header := int(p[12]>>4) * 4
	end := max(fixed, min(header, len(p)))
	var before [40]byte
	options := before[:copy(before[:], p[fixed:end])]
	padOptions(p[fixed:end])
	check := adjust(binary.BigEndian.Uint16(p[16:]), old, new)
	check = adjust(check, options, p[fixed:end])
	binary.BigEndian.PutUint16(p[16:], check)
	return end
}

// padOptions makes padding of all options but those whose values say nothing of whose they are (RFC 9293 section 3.2): the
// segment size, the window scale, selective acknowledgements and timestamps.
func padOptions(o []byte) {
	const pad = 1
	for i := 0; i < len(o); {
		kind := o[i]
		if kind <= pad {
			if kind == 0 {
				clear(o[i:])
				return
			}
			i++
			continue
		}
		length := len(o) - i
		if i+1 < len(o) && o[i+1] >= 2 && int(o[i+1]) <= length {
			length = int(o[i+1])
		} else if kind >= 2 && kind <= 8 && i+1 < len(o) && o[i+1] >= 2 {
			// An option of which the capture has a part.
			return
		}
		if kind != 2 && kind != 3 && kind != 4 && kind != 5 && kind != 8 {
			for j := i; j < i+length; j++ {
				o[j] = pad
			}
		}
		i += length
	}
}

// sum adds up b as 16-bit words (RFC 1071).
func sum(b []byte) (s uint32) {
	for i := 0; i < len(b); i += 2 {
		s += uint32(b[i]) << 8
		if i+1 < len(b) {
			s += uint32(b[i+1])
		}
	}
	return s
}

func fold(s uint32) uint16 {
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	return uint16(s)
}

// adjust returns the checksum of what had old in it and has new (RFC 1624).
func adjust(check uint16, old, new []byte) uint16 {
	return ^fold(uint32(^check) + uint32(^fold(sum(old))) + uint32(fold(sum(new))))
}
