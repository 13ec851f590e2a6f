package tcpskew_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/internal/tcbpf/testwire"
	"github.com/netfault/netfault/framework/tcpskew"
)

const first = 621677338 // the incident's first client

// The first SYN carries the wanted timestamp to the millisecond, and the clock runs on from there for all connections.
func TestClock(t *testing.T) {
	for _, want := range []uint32{first, 0, 1<<32 - 3} {
		w := testwire.New(t, 1)
		w.InClient(func() { testwire.Check(t, tcpskew.Attach(w.ClientIndex, want)) })
		arrived := capture(t, w)
		began := time.Now()
		var firstSYN span
		for n := 0; n == 0 || time.Since(began) < time.Second; n++ {
			now := span{from: time.Now()}
			transfer(t, w, 100)
			now.to = time.Now()
			if n == 0 {
				firstSYN = now
			}
			for _, s := range synAndData(t, arrived) {
				got, _ := timestamps(t, s.tcp)
				if n == 0 && s.tcp.SYN && got != want {
					t.Errorf("the first SYN has %d, want %d", got, want)
				}
				moved := time.Duration(int32(got-want)) * time.Millisecond
				least, most := now.from.Sub(firstSYN.to)-tick, now.to.Sub(firstSYN.from)+tick
				if moved < least || moved > most {
					t.Errorf("%v to %v after the first SYN the clock has moved by %v", least, most, moved)
				}
			}
		}
		w.InClient(func() {
			offset, latched, err := tcpskew.Offset(w.ClientIndex)
			if testwire.Check(t, err); !latched {
				t.Errorf("offset %d is not latched", offset)
			}
		})
	}
}

// span is a time in which something happened.
type span struct{ from, to time.Time }

// tick is the longest one of the kernels' clocks of timestamps: 1 ms since 4.13, a jiffy before.
const tick = 10 * time.Millisecond

// synAndData returns the SYN and the data of the client's next connection.
func synAndData(t *testing.T, arrived <-chan seen) []seen {
	t.Helper()
	var found []seen
	deadline := time.After(5 * time.Second)
	for len(found) < 2 {
		select {
		case s := <-arrived:
			if s.tcp.SYN || len(s.tcp.Payload) > 0 {
				found = append(found, s)
			}
		case <-deadline:
			t.Fatalf("captured only %d of the SYN and the data", len(found))
		}
	}
	return found
}

// Attach changes one setting and Detach puts it back; what is not attached is no error to detach, but has no offset.
func TestAttachAndDetach(t *testing.T) {
	w := testwire.New(t, 1)
	w.InClient(func() {
		const setting = "/proc/sys/net/ipv4/tcp_timestamps"
		value := func() string {
			text, err := os.ReadFile(setting)
			testwire.Check(t, err)
			return strings.TrimSpace(string(text))
		}
		testwire.Check(t, os.WriteFile(setting, []byte("1"), 0o644))
		testwire.Check(t, tcpskew.Detach(w.ClientIndex))
		if _, _, err := tcpskew.Offset(w.ClientIndex); !errors.Is(err, tcpskew.ErrNotAttached) {
			t.Errorf("offset without a skewed clock: %v", err)
		}
		testwire.Check(t, tcpskew.Attach(w.ClientIndex, first))
		if got := value(); got != "2" {
			t.Errorf("tcp_timestamps=%s while the clock is skewed, want 2", got)
		}
		if err := tcpskew.Attach(w.ClientIndex, first); err == nil {
			t.Error("attached twice")
		}
		if _, latched, err := tcpskew.Offset(w.ClientIndex); err != nil || latched {
			t.Errorf("latched %v before the first SYN, %v", latched, err)
		}
		testwire.Check(t, tcpskew.Detach(w.ClientIndex))
		if got := value(); got != "1" {
			t.Errorf("tcp_timestamps=%s afterwards, want 1", got)
		}
		if _, _, err := tcpskew.Offset(w.ClientIndex); !errors.Is(err, tcpskew.ErrNotAttached) {
			t.Errorf("offset after Detach: %v", err)
		}
	})
}

// Options come in any order and at any alignment; the checksum stays right, and everything else as it was.
func TestOptionsAndChecksum(t *testing.T) {
	w := testwire.New(t, 1)
	w.InClient(func() { testwire.Check(t, tcpskew.Attach(w.ClientIndex, first)) })
	arrived := capture(t, w)
	send := sender(t, w)
	nop := layers.TCPOption{OptionType: layers.TCPOptionKindNop}
	mss := layers.TCPOption{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{5, 180}}
	scale := layers.TCPOption{OptionType: layers.TCPOptionKindWindowScale, OptionLength: 3, OptionData: []byte{7}}
	sack := layers.TCPOption{OptionType: layers.TCPOptionKindSACK, OptionLength: 18, OptionData: []byte("sixteen bytes ok")}
	ts := layers.TCPOption{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: []byte{0, 0, 0x03, 0xe8, 1, 2, 3, 4}}
	// The first one latches the offset at TSval 1000, so that is what each of them is shifted to.
	for _, options := range [][]layers.TCPOption{
		{ts}, {nop, ts}, {nop, nop, ts}, {mss, ts}, {scale, ts}, {ts, scale, nop, mss}, {sack, ts}, {mss, nop, scale, nop, nop, ts},
		{sack, nop, nop, nop, scale, nop, ts}, {nop, ts, nop}, {ts, ts},
	} {
		sent := send(options)
		got := <-arrived
		if value, echo := timestamps(t, got.tcp); value != first || echo != 0x01020304 {
			t.Errorf("%v: TSval %d and TSecr %#x, want %d and 0x1020304", options, value, echo, first)
		}
		if a, b := others(sent), others(got.frame); a != b {
			t.Errorf("%v: more than the timestamp and the checksum changed:\n%x\n%x", options, a, b)
		}
		testwire.Check(t, got.tcp.SetNetworkLayerForChecksum(got.ip))
		if sum, err := got.tcp.ComputeChecksum(); err != nil || sum != 0 {
			t.Errorf("%v: the checksum is wrong by %#x, %v", options, sum, err)
		}
	}
	for _, options := range [][]layers.TCPOption{{}, {nop, nop, nop, nop}, {mss, scale}, {sack, nop}} {
		if sent, got := send(options), <-arrived; string(got.frame) != string(sent) {
			t.Errorf("%v: without timestamp, but changed:\n%x\n%x", options, sent, got.frame)
		}
	}
}

// others returns a frame without the checksum and with the client's own timestamp, 1000, wherever the shifted one is.
func others(frame []byte) string {
	const tcp = 14 + 20
	without := bytes.Clone(frame)
	copy(without[tcp+16:], []byte{0, 0})
	return strings.Replace(string(without), string(binary.BigEndian.AppendUint32(nil, first)), "\x00\x00\x03\xe8", 1)
}

// seen is a captured segment of the client.
type seen struct {
	frame []byte
	ip    *layers.IPv4
	tcp   *layers.TCP
}

// capture shows what arrives at the server from the client, from now on.
func capture(t *testing.T, w *testwire.Wire) <-chan seen {
	t.Helper()
	var conn *packet.Conn
	w.InServer(func() {
		var err error
		conn, err = packet.Listen(&net.Interface{Index: w.ServerIndex}, packet.Raw, unix.ETH_P_IP, nil)
		testwire.Check(t, err)
	})
	t.Cleanup(func() { conn.Close() })
	out := make(chan seen, 1000)
	go func() {
		buffer := make([]byte, 1<<16)
		for {
			n, _, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			frame := append([]byte(nil), buffer[:n]...)
			p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
			if tcp, ok := p.Layer(layers.LayerTypeTCP).(*layers.TCP); ok {
				out <- seen{frame, p.Layer(layers.LayerTypeIPv4).(*layers.IPv4), tcp}
			}
		}
	}()
	return out
}

// sender returns a function that sends a SYN with options out of the client's eth0, and returns the frame.
func sender(t *testing.T, w *testwire.Wire) func([]layers.TCPOption) []byte {
	t.Helper()
	var conn *packet.Conn
	var from, to net.HardwareAddr
	w.InServer(func() { to = hardwareAddr(t) })
	w.InClient(func() {
		var err error
		conn, err = packet.Listen(&net.Interface{Index: w.ClientIndex}, packet.Raw, unix.ETH_P_IP, nil)
		testwire.Check(t, err)
		from = hardwareAddr(t)
	})
	t.Cleanup(func() { conn.Close() })
	return func(options []layers.TCPOption) []byte {
		t.Helper()
		ip := &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: net.IP{10, 77, 1, 1}, DstIP: net.IP{10, 77, 0, 1}}
		tcp := &layers.TCP{SrcPort: 40000, DstPort: 9, SYN: true, Window: 64240, Options: options}
		testwire.Check(t, tcp.SetNetworkLayerForChecksum(ip))
		buffer := gopacket.NewSerializeBuffer()
		testwire.Check(t, gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
			&layers.Ethernet{SrcMAC: from, DstMAC: to, EthernetType: layers.EthernetTypeIPv4}, ip, tcp))
		_, err := conn.WriteTo(buffer.Bytes(), &packet.Addr{HardwareAddr: to})
		testwire.Check(t, err)
		return buffer.Bytes()
	}
}

func hardwareAddr(t testing.TB) net.HardwareAddr {
	t.Helper()
	link, err := netlink.LinkByName("eth0")
	testwire.Check(t, err)
	return link.Attrs().HardwareAddr
}

// timestamps returns a segment's TSval and TSecr.
func timestamps(t *testing.T, tcp *layers.TCP) (value, echo uint32) {
	t.Helper()
	for _, o := range tcp.Options {
		if o.OptionType == layers.TCPOptionKindTimestamps {
			return binary.BigEndian.Uint32(o.OptionData), binary.BigEndian.Uint32(o.OptionData[4:])
		}
	}
	t.Fatalf("no timestamp: %+v", tcp)
	return 0, 0
}
