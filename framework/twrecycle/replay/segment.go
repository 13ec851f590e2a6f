package replay

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// segment is a TCP segment, sent or received.
type segment struct {
	client, server netip.AddrPort
	seq, ack       uint32
	syn, fin, rst  bool
	acks           bool // the ACK flag
	timestamp      bool // whether it has the option
	tsval, tsecr   uint32
	length         int // of the payload, in bytes
}

// encode returns the segment as an Ethernet frame from the client to the server.
func (s segment) encode(from, to net.HardwareAddr) ([]byte, error) {
	ip := &layers.IPv4{
		Version: 4, IHL: 5, TTL: 64, Protocol: layers.IPProtocolTCP, Flags: layers.IPv4DontFragment,
		SrcIP: s.client.Addr().AsSlice(), DstIP: s.server.Addr().AsSlice(),
	}
	tcp := &layers.TCP{
		SrcPort: layers.TCPPort(s.client.Port()), DstPort: layers.TCPPort(s.server.Port()),
		Seq: s.seq, Ack: s.ack, SYN: s.syn, FIN: s.fin, RST: s.rst, ACK: s.acks, Window: 64240,
	}
	if s.syn {
		tcp.Options = append(tcp.Options,
			layers.TCPOption{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{0x05, 0xb4}},
			layers.TCPOption{OptionType: layers.TCPOptionKindSACKPermitted, OptionLength: 2})
	}
	if s.timestamp {
		tcp.Options = append(tcp.Options,
			layers.TCPOption{OptionType: layers.TCPOptionKindNop},
			layers.TCPOption{OptionType: layers.TCPOptionKindNop},
			layers.TCPOption{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10,
				OptionData: binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, s.tsval), s.tsecr)})
	}
	if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
		return nil, err
	}
	buffer := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		&layers.Ethernet{SrcMAC: from, DstMAC: to, EthernetType: layers.EthernetTypeIPv4}, ip, tcp)
	return buffer.Bytes(), err
}

// errOther says that a frame holds no TCP segment.
var errOther = errors.New("not TCP over IPv4")

// decode reads an Ethernet frame from the server to the client. Checksums are not looked at: on a veth the kernel leaves
// them to a network card that is not there.
func decode(frame []byte) (segment, error) {
	packet := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.NoCopy)
	ip, ok := packet.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
	tcp, isTCP := packet.Layer(layers.LayerTypeTCP).(*layers.TCP)
	if !ok || !isTCP {
		return segment{}, errOther
	}
	source, _ := netip.AddrFromSlice(ip.SrcIP.To4())
	destination, _ := netip.AddrFromSlice(ip.DstIP.To4())
	s := segment{
		server: netip.AddrPortFrom(source, uint16(tcp.SrcPort)), client: netip.AddrPortFrom(destination, uint16(tcp.DstPort)),
		seq: tcp.Seq, ack: tcp.Ack, syn: tcp.SYN, fin: tcp.FIN, rst: tcp.RST, acks: tcp.ACK, length: len(tcp.Payload),
	}
	for _, option := range tcp.Options {
		if option.OptionType == layers.TCPOptionKindTimestamps && len(option.OptionData) == 8 {
			s.timestamp = true
			s.tsval, s.tsecr = binary.BigEndian.Uint32(option.OptionData), binary.BigEndian.Uint32(option.OptionData[4:])
		}
	}
	return s, nil
}
