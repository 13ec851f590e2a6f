package evidence

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// captured is when the first packet of the test captures was captured.
var captured = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// serialize is the bytes of a packet.
func serialize(t testing.TB, parts ...gopacket.SerializableLayer) []byte {
	t.Helper()
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true}, parts...); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(buf.Bytes())
}

func ip4() *layers.IPv4 {
	return &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: []byte{10, 244, 1, 1}, DstIP: []byte{10, 244, 1, 2}}
}

// syn is a SYN with the options that Linux sends.
func syn() *layers.TCP {
	ts := make([]byte, 8)
	binary.BigEndian.PutUint32(ts, 621677338)
	return &layers.TCP{SrcPort: 40000, DstPort: 8080, Seq: 5, SYN: true, Window: 64240, Options: []layers.TCPOption{
		{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{5, 0xb4}},
		{OptionType: layers.TCPOptionKindSACKPermitted, OptionLength: 2},
		{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: ts},
		{OptionType: layers.TCPOptionKindNop},
		{OptionType: layers.TCPOptionKindWindowScale, OptionLength: 3, OptionData: []byte{7}},
	}}
}

func ethernet(kind layers.EthernetType) *layers.Ethernet {
	return &layers.Ethernet{SrcMAC: []byte{2, 0, 0, 0, 0, 1}, DstMAC: []byte{2, 0, 0, 0, 0, 2}, EthernetType: kind}
}

func synFrame(t testing.TB) []byte {
	t.Helper()
	return serialize(t, ethernet(layers.EthernetTypeIPv4), ip4(), syn())
}

// pcapHeader is the head of a file, in the byte order and of the time unit that its magic number says.
func pcapHeader(order binary.ByteOrder, magic, link uint32) []byte {
	head := make([]byte, 24)
	order.PutUint32(head, magic)
	order.PutUint16(head[4:], 2)
	order.PutUint16(head[6:], 4)
	order.PutUint32(head[16:], 262144)
	order.PutUint32(head[20:], link)
	return head
}

const (
	microMagic = 0xa1b2c3d4
	nanoMagic  = 0xa1b23c4d
)

// pcapOf is a file of packets, one a second, of which at most snap bytes are kept.
func pcapOf(order binary.ByteOrder, magic, link uint32, snap int, packets ...[]byte) []byte {
	file := pcapHeader(order, magic, link)
	for i, p := range packets {
		at := captured.Add(time.Duration(i) * time.Second)
		fraction := uint32(at.Nanosecond())
		if magic == microMagic {
			fraction /= 1000
		}
		head := make([]byte, 16)
		order.PutUint32(head, uint32(at.Unix()))
		order.PutUint32(head[4:], fraction)
		order.PutUint32(head[8:], uint32(min(len(p), snap)))
		order.PutUint32(head[12:], uint32(len(p)))
		file = append(append(file, head...), p[:min(len(p), snap)]...)
	}
	return file
}

// pcapNGOf is the same in the newer format, with one interface for each packet.
func pcapNGOf(t testing.TB, links []layers.LinkType, packets ...[]byte) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := pcapgo.NewNgWriter(&file, links[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links[1:] {
		if _, err := w.AddInterface(pcapgo.NgInterface{LinkType: link, SnapLength: 262144}); err != nil {
			t.Fatal(err)
		}
	}
	for i, p := range packets {
		info := gopacket.CaptureInfo{Timestamp: captured.Add(time.Duration(i) * time.Second), CaptureLength: len(p), Length: len(p), InterfaceIndex: i}
		if err := w.WritePacket(info, p); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// readCapture reads a file as a node's capture.
func readCapture(file []byte) (all []Segment, err error) {
	b := bundleOf(CaptureFile("n1", "a.pcap"), string(file))
	for s, e := range b.Segments("n1", "a.pcap") {
		if e != nil {
			return all, e
		}
		all = append(all, s)
	}
	return all, nil
}

func wantSegment(at time.Time) Segment {
	return Segment{
		Time: at, Src: netip.MustParseAddrPort("10.244.1.1:40000"), Dst: netip.MustParseAddrPort("10.244.1.2:8080"),
		SYN: true, Seq: 5, Timestamps: true, TSVal: 621677338,
	}
}

func TestFormatsOfCaptures(t *testing.T) {
	frame := synFrame(t)
	micro := captured.Truncate(time.Microsecond)
	for _, test := range []struct {
		name string
		file []byte
		at   time.Time
	}{
		{"little-endian, microseconds", pcapOf(binary.LittleEndian, microMagic, 1, 262144, frame), micro},
		{"big-endian, microseconds", pcapOf(binary.BigEndian, microMagic, 1, 262144, frame), micro},
		{"little-endian, nanoseconds", pcapOf(binary.LittleEndian, nanoMagic, 1, 262144, frame), captured},
		{"big-endian, nanoseconds", pcapOf(binary.BigEndian, nanoMagic, 1, 262144, frame), captured},
		{"pcapng", pcapNGOf(t, []layers.LinkType{layers.LinkTypeEthernet}, frame), captured},
		{"snap length 96", pcapOf(binary.LittleEndian, nanoMagic, 1, 96, serialize(t, ethernet(layers.EthernetTypeIPv4), ip4(), syn(), gopacket.Payload(make([]byte, 999)))), captured},
	} {
		got, err := readCapture(test.file)
		if err != nil || !reflect.DeepEqual(got, []Segment{wantSegment(test.at)}) {
			t.Errorf("%s: got %+v, %v", test.name, got, err)
		}
	}
}

func TestLinkTypesOfCaptures(t *testing.T) {
	ip := serialize(t, ip4(), syn())
	sll := append([]byte{0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0}, ip...)
	sll2 := append([]byte{8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 4, 6, 2, 0, 0, 0, 0, 1, 0, 0}, ip...)
	vlan := serialize(t, ethernet(layers.EthernetTypeDot1Q), &layers.Dot1Q{VLANIdentifier: 7, Type: layers.EthernetTypeIPv4}, ip4(), syn())
	for link, packet := range map[uint32][]byte{1: vlan, 113: sll, 276: sll2, 101: ip, 228: ip} {
		got, err := readCapture(pcapOf(binary.LittleEndian, nanoMagic, link, 262144, packet))
		if err != nil || !reflect.DeepEqual(got, []Segment{wantSegment(captured)}) {
			t.Errorf("link type %d: got %+v, %v", link, got, err)
		}
	}
	six := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolTCP, SrcIP: netip.MustParseAddr("fd00::1").AsSlice(), DstIP: netip.MustParseAddr("fd00::2").AsSlice()}
	want := wantSegment(captured)
	want.Src, want.Dst = netip.MustParseAddrPort("[fd00::1]:40000"), netip.MustParseAddrPort("[fd00::2]:8080")
	for link, packet := range map[uint32][]byte{1: serialize(t, ethernet(layers.EthernetTypeIPv6), six, syn()), 101: serialize(t, six, syn()), 229: serialize(t, six, syn())} {
		got, err := readCapture(pcapOf(binary.LittleEndian, nanoMagic, link, 262144, packet))
		if err != nil || !reflect.DeepEqual(got, []Segment{want}) {
			t.Errorf("IPv6, link type %d: got %+v, %v", link, got, err)
		}
	}

	got, err := readCapture(pcapNGOf(t, []layers.LinkType{layers.LinkTypeEthernet, layers.LinkTypeRaw}, synFrame(t), ip))
	if err != nil || len(got) != 2 || got[1] != wantSegment(captured.Add(time.Second)) {
		t.Errorf("two link types: got %+v, %v", got, err)
	}
	_, err = readCapture(pcapOf(binary.LittleEndian, nanoMagic, 105, 262144, ip))
	wantFileError(t, err, CaptureFile("n1", "a.pcap"), "link type 105")
}

func TestWhatIsNoSegmentIsPassedOver(t *testing.T) {
	fragment, udp := ip4(), ip4()
	fragment.FragOffset = 100
	udp.Protocol = layers.IPProtocolUDP
	short := ip4()
	packets := [][]byte{
		serialize(t, ethernet(layers.EthernetTypeARP)), {1, 2, 3}, nil,
		serialize(t, ethernet(layers.EthernetTypeIPv4), fragment, syn()),
		serialize(t, ethernet(layers.EthernetTypeIPv4), udp, &layers.UDP{SrcPort: 1, DstPort: 8472}),
		serialize(t, ethernet(layers.EthernetTypeIPv4), short, gopacket.Payload{1, 2, 3}),
		synFrame(t),
	}
	got, err := readCapture(pcapOf(binary.LittleEndian, nanoMagic, 1, 262144, packets...))
	if err != nil || len(got) != 1 || !got[0].Time.Equal(captured.Add(6*time.Second)) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestOptionsOfSegments(t *testing.T) {
	ack := &layers.TCP{SrcPort: 8080, DstPort: 40000, Seq: 9, Ack: 6, ACK: true, FIN: true, RST: true}
	got, err := readCapture(pcapOf(binary.LittleEndian, nanoMagic, 1, 262144, serialize(t, ethernet(layers.EthernetTypeIPv4), ip4(), ack)))
	if err != nil || len(got) != 1 || got[0].Timestamps || got[0].OptionsCut || !got[0].ACK || !got[0].FIN || !got[0].RST || got[0].SYN || got[0].AckSeq != 6 || got[0].Seq != 9 {
		t.Errorf("no options: got %+v, %v", got, err)
	}
	// tcpdump kept 68 bytes of a packet for many years.
	got, err = readCapture(pcapOf(binary.LittleEndian, nanoMagic, 1, 68, synFrame(t)))
	if err != nil || len(got) != 1 || got[0].Timestamps || !got[0].OptionsCut || !got[0].SYN || got[0].Seq != 5 {
		t.Errorf("options cut: got %+v, %v", got, err)
	}
}

// The bound on what is in memory is one of packets, not of files.
func TestCaptureOfAnyLength(t *testing.T) {
	frame := synFrame(t)
	const packets = 20_000
	file := pcapOf(binary.LittleEndian, nanoMagic, 1, 262144, slices.Repeat([][]byte{frame}, packets)...)
	if got, err := readCapture(file); err != nil || len(got) != packets || len(file) < 3*maxEntry/2 {
		t.Errorf("%d of %d segments of %d bytes, %v", len(got), packets, len(file), err)
	}
}

// A capture that was killed tells what it had written, and that it was.
func TestCutOffCaptures(t *testing.T) {
	frame := synFrame(t)
	pcap := pcapOf(binary.LittleEndian, nanoMagic, 1, 262144, frame, frame)
	ng := pcapNGOf(t, []layers.LinkType{layers.LinkTypeEthernet}, frame)
	// The section header of a pcapng file tells its own length.
	headers := map[string]int{"pcap": 24, "pcapng": int(binary.LittleEndian.Uint32(ng[4:]))}
	for name, file := range map[string][]byte{"pcap": pcap, "pcapng": ng} {
		whole, err := readCapture(file)
		if err != nil {
			t.Fatal(err)
		}
		ends := 0
		for n := 1; n < len(file); n++ {
			got, err := readCapture(file[:n])
			if len(got) > len(whole) || len(got) > 0 && !reflect.DeepEqual(got, whole[:len(got)]) {
				t.Fatalf("%s: cut to %d bytes: got %+v", name, n, got)
			}
			if err == nil {
				// Between two packets, nothing is cut.
				ends++
				continue
			}
			if errors.Is(err, ErrCutOff) != (n >= headers[name]) {
				t.Fatalf("%s: cut to %d bytes: %v", name, n, err)
			}
			wantFileError(t, err, CaptureFile("n1", "a.pcap"), "cut")
		}
		if name == "pcap" && ends != 2 {
			t.Errorf("%s: %d places at which nothing is cut, want 2: the header's end and the first packet's", name, ends)
		}
	}
}

func TestDamagedCaptures(t *testing.T) {
	file := CaptureFile("n1", "a.pcap")
	good := pcapOf(binary.LittleEndian, nanoMagic, 1, 262144, synFrame(t), synFrame(t))
	huge := slices.Clone(good)
	binary.LittleEndian.PutUint32(huge[24+8:], 0xffff_fff0)
	binary.LittleEndian.PutUint32(huge[24+12:], 0xffff_ffff)
	greedy := slices.Concat(pcapHeader(binary.LittleEndian, nanoMagic, 1), make([]byte, 16), make([]byte, 3<<20))
	binary.LittleEndian.PutUint32(greedy[16:], 0xffff_ffff)
	binary.LittleEndian.PutUint32(greedy[24+8:], 2<<20)
	binary.LittleEndian.PutUint32(greedy[24+12:], 2<<20)
	version := slices.Clone(good)
	version[4] = 9
	for text, want := range map[string]string{
		"":                      "empty",
		"PK\x03\x04":            "not a capture",
		"\x1f\x8b\x08\x00":      "not a capture",
		"tcpdump: no such link": "not a capture",
		string(huge):            "damaged capture",
		string(greedy):          "longer than",
		string(version):         "damaged capture",
	} {
		_, err := readCapture([]byte(text))
		if err == nil {
			t.Errorf("%.20q is accepted", text)
			continue
		}
		wantFileError(t, err, file, want)
	}
}

func TestNamesOfCaptures(t *testing.T) {
	b := bundleOf("nodes/n1/captures/b.pcap", "", "nodes/n1/captures/a.pcapng", "", "nodes/n1/captures/c.pcap1", "", "nodes/n1/captures/README", "",
		"nodes/n1/captures/d.pcap.part", "", "nodes/n2/captures/x y.pcap", "", "nodes/n3/ip-link.json", "")
	if got, err := b.Captures("n1"); err != nil || !slices.Equal(got, []string{"a.pcapng", "b.pcap", "c.pcap1"}) {
		t.Errorf("got %q, %v", got, err)
	}
	_, err := b.Captures("n2")
	wantFileError(t, err, "nodes/n2/captures", `"x y.pcap"`)
	if got, err := b.Captures("n3"); err != nil || got != nil {
		t.Errorf("no folder: %q, %v", got, err)
	}
	_, err = b.Captures("../n1")
	wantFileError(t, err, "nodes", "node name")
	wantFileError(t, drain(b.Segments("n1", "../ip-link.json")), "nodes/n1/captures", "not the name of a capture")
	wantFileError(t, drain(b.Segments("../n1", "b.pcap")), "nodes", "node name")
	wantFileError(t, drain(b.Segments("n1", "none.pcap")), "nodes/n1/captures/none.pcap", "missing")
}

func TestReadingOfACaptureCanBeStopped(t *testing.T) {
	frame := synFrame(t)
	b := bundleOf(CaptureFile("n1", "a.pcap"), string(pcapOf(binary.LittleEndian, nanoMagic, 1, 262144, frame, frame)))
	n := 0
	for _, err := range b.Segments("n1", "a.pcap") {
		if err != nil {
			t.Error(err)
		}
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d segments", n)
	}
}

// FuzzCapture checks that no file makes the reader panic, and that its errors name the file.
func FuzzCapture(f *testing.F) {
	frame := synFrame(f)
	f.Add(pcapOf(binary.LittleEndian, nanoMagic, 1, 96, frame, frame))
	f.Add(pcapOf(binary.BigEndian, microMagic, 113, 262144, frame))
	f.Add(pcapOf(binary.LittleEndian, microMagic, 276, 262144, frame))
	f.Add(pcapOf(binary.LittleEndian, microMagic, 101, 262144, frame[14:]))
	f.Add(pcapNGOf(f, []layers.LinkType{layers.LinkTypeEthernet, layers.LinkTypeRaw}, frame, frame[14:]))
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, err := readCapture(file); err != nil {
			wantFileError(t, err, CaptureFile("n1", "a.pcap"), "")
		}
	})
}

// BenchmarkCapture reads captures of SYNs from a real folder.
func BenchmarkCapture(b *testing.B) {
	dir := b.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "nodes/n1/captures"), 0o755); err != nil {
		b.Fatal(err)
	}
	const packets = 100_000
	file := pcapOf(binary.LittleEndian, nanoMagic, 1, 128, slices.Repeat([][]byte{synFrame(b)}, packets)...)
	if err := os.WriteFile(filepath.Join(dir, CaptureFile("n1", "a.pcap")), file, 0o644); err != nil {
		b.Fatal(err)
	}
	bundle, err := Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer bundle.Close()
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		if err := drain(bundle.Segments("n1", "a.pcap")); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(packets)*float64(b.N)/b.Elapsed().Seconds(), "packets/s")
}
