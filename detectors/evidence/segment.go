package evidence

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// Segment is what the headers of one captured TCP segment say.
type Segment struct {
	// Time is when it was captured, by the clock of the machine that captured it.
	Time     time.Time
	Src, Dst netip.AddrPort
	// SYN, ACK, FIN and RST are the control bits (RFC 9293 section 3.1).
	SYN, ACK, FIN, RST bool
	Seq, AckSeq        uint32
	// Timestamps says that the segment has the timestamps option (RFC 7323 section 3); TSVal and TSEcr are its values.
	Timestamps   bool
	TSVal, TSEcr uint32
	// OptionsCut says that the capture kept too little of the packet to know its options.
	OptionsCut bool
}

// timestampsLen is how many bytes the two values of the timestamps option take.
const timestampsLen = 8

// segmentDecoder keeps one of each header, so that decoding allocates nothing.
type segmentDecoder struct {
	eth  layers.Ethernet
	vlan layers.Dot1Q
	sll  layers.LinuxSLL
	sll2 layers.LinuxSLL2
	ip4  layers.IPv4
	ip6  layers.IPv6
	tcp  layers.TCP
}

// decode reads the headers of a packet that begins with a header of type next. It is not ok if there is no TCP header
// directly after an IP header, or if a header is malformed.
func (d *segmentDecoder) decode(next gopacket.LayerType, data []byte) (s Segment, ok bool) {
	var src, dst netip.Addr
	for {
		var header gopacket.DecodingLayer
		switch next {
		case layers.LayerTypeEthernet:
			header = &d.eth
		case layers.LayerTypeDot1Q:
			header = &d.vlan
		case layers.LayerTypeLinuxSLL:
			header = &d.sll
		case layers.LayerTypeLinuxSLL2:
			header = &d.sll2
		case layers.LayerTypeIPv4:
			header = &d.ip4
		case layers.LayerTypeIPv6:
			header = &d.ip6
		case layers.LayerTypeTCP:
			return d.segment(src, dst, data)
		default:
			return Segment{}, false
		}
		if header.DecodeFromBytes(data, gopacket.NilDecodeFeedback) != nil {
			return Segment{}, false
		}
		switch next {
		case layers.LayerTypeIPv4:
			src, _ = netip.AddrFromSlice(d.ip4.SrcIP)
			dst, _ = netip.AddrFromSlice(d.ip4.DstIP)
		case layers.LayerTypeIPv6:
			src, _ = netip.AddrFromSlice(d.ip6.SrcIP)
			dst, _ = netip.AddrFromSlice(d.ip6.DstIP)
		}
		next, data = header.NextLayerType(), header.LayerPayload()
	}
}

// segment reads a TCP header.
func (d *segmentDecoder) segment(src, dst netip.Addr, data []byte) (Segment, bool) {
	const fixed = 20
	if len(data) < fixed || !src.IsValid() || !dst.IsValid() {
		return Segment{}, false
	}
	// gopacket fills in the fixed part before it fails for options that are not all there.
	cut := int(data[12]>>4)*4 > len(data)
	if err := d.tcp.DecodeFromBytes(data, gopacket.NilDecodeFeedback); err != nil && !cut {
		return Segment{}, false
	}
	s := Segment{
		Src: netip.AddrPortFrom(src, uint16(d.tcp.SrcPort)), Dst: netip.AddrPortFrom(dst, uint16(d.tcp.DstPort)),
		SYN: d.tcp.SYN, ACK: d.tcp.ACK, FIN: d.tcp.FIN, RST: d.tcp.RST,
		Seq: d.tcp.Seq, AckSeq: d.tcp.Ack, OptionsCut: cut,
	}
	if cut {
		return s, true
	}
	for _, o := range d.tcp.Options {
		if o.OptionType == layers.TCPOptionKindTimestamps && len(o.OptionData) == timestampsLen {
			s.Timestamps = true
			s.TSVal, s.TSEcr = binary.BigEndian.Uint32(o.OptionData), binary.BigEndian.Uint32(o.OptionData[4:])
		}
	}
	return s, true
}
