package rekey_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

var (
	macA, _ = net.ParseMAC("5e:0a:8b:1c:2d:3e")
	macB, _ = net.ParseMAC("00:1b:21:1c:2d:3f")
)

// samplePackets returns one packet of each kind that is known, with right checksums and a payload.
func samplePackets(t *testing.T, payload string) (out [][]byte) {
	t.Helper()
	ether := func(kind layers.EthernetType) *layers.Ethernet {
		return &layers.Ethernet{SrcMAC: macA, DstMAC: macB, EthernetType: kind}
	}
	ip4 := func(proto layers.IPProtocol) *layers.IPv4 {
		return &layers.IPv4{Version: 4, TTL: 64, Protocol: proto, SrcIP: net.IP{10, 244, 1, 2}, DstIP: net.IP{192, 168, 7, 9},
			Options: []layers.IPv4Option{{OptionType: 7, OptionLength: 7, OptionData: []byte{4, 10, 244, 1, 2}}, {OptionType: 1}}}
	}
	ip6 := func(proto layers.IPProtocol) *layers.IPv6 {
		return &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: proto, SrcIP: net.ParseIP("fd00:10:244::5"), DstIP: net.ParseIP("fd00:10:96::a")}
	}
	tcp := &layers.TCP{SrcPort: 40000, DstPort: 80, Seq: 1, SYN: true, Window: 100, Options: []layers.TCPOption{
		{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: []byte{0, 0, 0, 1, 0, 0, 0, 2}},
		{OptionType: 34, OptionLength: 6, OptionData: []byte(payload)[:4]},
	}}
	udp := &layers.UDP{SrcPort: 4000, DstPort: 4001}
	make := func(network gopacket.NetworkLayer, all ...gopacket.SerializableLayer) {
		_ = tcp.SetNetworkLayerForChecksum(network)
		_ = udp.SetNetworkLayerForChecksum(network)
		buffer := gopacket.NewSerializeBuffer()
		all = append(all, gopacket.Payload(payload))
		if err := gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...); err != nil {
			t.Fatal(err)
		}
		out = append(out, bytes.Clone(buffer.Bytes()))
	}
	a := ip4(layers.IPProtocolTCP)
	make(a, ether(layers.EthernetTypeIPv4), a, tcp)
	a = ip4(layers.IPProtocolUDP)
	make(a, ether(layers.EthernetTypeIPv4), a, udp)
	a = ip4(layers.IPProtocolICMPv4)
	make(a, ether(layers.EthernetTypeIPv4), a, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(3, 1)})
	a = ip4(layers.IPProtocolGRE)
	make(a, ether(layers.EthernetTypeIPv4), a)
	b := ip6(layers.IPProtocolTCP)
	make(b, ether(layers.EthernetTypeDot1Q), &layers.Dot1Q{VLANIdentifier: 5, Type: layers.EthernetTypeIPv6}, b, tcp)
	b = ip6(layers.IPProtocolUDP)
	make(b, ether(layers.EthernetTypeIPv6), b, udp)
	make(a, ether(layers.EthernetTypeARP), &layers.ARP{AddrType: 1, Protocol: 0x0800, HwAddressSize: 6, ProtAddressSize: 4, Operation: 1,
		SourceHwAddress: macA, SourceProtAddress: []byte{10, 244, 1, 2}, DstHwAddress: macB, DstProtAddress: []byte{192, 168, 7, 9}})
	make(a, ether(layers.EthernetTypeLinkLayerDiscovery))
	return out
}

// After re-keying, headers have other addresses and checksums that are right with the payload that was cut off.
func TestPackets(t *testing.T) {
	const payload = "payload!"
	var in bytes.Buffer
	w := pcapTo(t, &in)
	samples := samplePackets(t, payload)
	for _, p := range samples {
		if err := w.WritePacket(gopacket.CaptureInfo{CaptureLength: len(p), Length: len(p)}, p); err != nil {
			t.Fatal(err)
		}
	}
	out, _, _ := rekeyed(t, fstest.MapFS{"nodes/n1/captures/eth0.pcap": {Data: in.Bytes()}}, keys(1)[0])
	r, err := pcapgo.NewReader(bytes.NewReader(out["nodes/node-1/captures/capture-1.pcap"].Data))
	if err != nil {
		t.Fatal(err)
	}
	for i, sample := range samples {
		data, ci, err := r.ReadPacketData()
		if err != nil {
			t.Fatal(err)
		}
		if ci.Length != len(sample) {
			t.Errorf("packet %d: its length was %d and is %d", i, len(sample), ci.Length)
		}
		if bytes.Contains(data, macA) || bytes.Contains(data, []byte{10, 244, 1, 2}) || bytes.Contains(data, []byte(payload)[:4]) {
			t.Errorf("packet %d has something of the old: %x", i, data)
		}
		before := gopacket.NewPacket(sample, layers.LayerTypeEthernet, gopacket.Default)
		whole := append(bytes.Clone(data), payload...)
		after := gopacket.NewPacket(whole, layers.LayerTypeEthernet, gopacket.Default)
		if after.Layer(layers.LayerTypeEthernet).(*layers.Ethernet).SrcMAC[0]&3 != macA[0]&3 {
			t.Errorf("packet %d: the link address has other local and group bits", i)
		}
		if old := before.TransportLayer(); old != nil {
			if after.TransportLayer() == nil || old.TransportFlow() != after.TransportLayer().TransportFlow() {
				t.Fatalf("packet %d: other ports: %v", i, after)
			}
			// Bytes become right checksums: computing them anew changes nothing.
			var all []gopacket.SerializableLayer
			for _, l := range after.Layers() {
				switch l := l.(type) {
				case *layers.TCP:
					_ = l.SetNetworkLayerForChecksum(after.NetworkLayer())
				case *layers.UDP:
					_ = l.SetNetworkLayerForChecksum(after.NetworkLayer())
				}
				if l.LayerType() != gopacket.LayerTypePayload && l.LayerType() != gopacket.LayerTypeDecodeFailure {
					all = append(all, l.(gopacket.SerializableLayer))
				}
			}
			buffer := gopacket.NewSerializeBuffer()
			all = append(all, gopacket.Payload(payload))
			if err := gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{ComputeChecksums: true}, all...); err != nil {
				t.Fatal(err)
			}
			// Ethernet pads what is short.
			if !bytes.HasPrefix(buffer.Bytes(), whole) {
				t.Errorf("packet %d: the checksums are not right:\nhave %x\nwant %x", i, whole, buffer.Bytes())
			}
		}
	}
	if _, _, err := r.ReadPacketData(); err != io.EOF {
		t.Errorf("more packets than there were: %v", err)
	}
}

// Packets of any bytes are cut and never make it fail.
func FuzzPackets(f *testing.F) {
	for _, p := range samplePackets(&testing.T{}, "payload!") {
		f.Add(p)
		f.Add(p[:len(p)/2])
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) > 65536 {
			t.Skip()
		}
		for _, link := range []layers.LinkType{layers.LinkTypeEthernet, layers.LinkTypeLinuxSLL, layers.LinkTypeLinuxSLL2, layers.LinkTypeRaw} {
			var in bytes.Buffer
			w := pcapgo.NewWriter(&in)
			if err := w.WriteFileHeader(65536, link); err != nil {
				t.Fatal(err)
			}
			if err := w.WritePacket(gopacket.CaptureInfo{CaptureLength: len(p), Length: len(p)}, p); err != nil {
				t.Fatal(err)
			}
			_, _, left := rekeyed(t, fstest.MapFS{"nodes/n1/captures/eth0.pcap": {Data: in.Bytes()}}, keys(1)[0])
			for _, l := range left {
				if !strings.Contains(l.Reason, "empty") {
					t.Errorf("link type %v: %v", link, l)
				}
			}
		}
	})
}
