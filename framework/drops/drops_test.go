package drops

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/internal/ktype"
	"github.com/netfault/netfault/framework/internal/scratchns"
	"github.com/netfault/netfault/framework/internal/tcbpf"
	"github.com/netfault/netfault/framework/wait"
)

// A packet for another's link address is dropped where it arrives, and seen there by whoever watches that namespace.
func TestWatchSeesWhereAndWhy(t *testing.T) {
	scratchns.Enter(t)
	// Where the kernel tells reasons and lets us ask, a program that it does not take is a fault of ours.
	if err := tcbpf.Permitted(); err != nil {
		t.Skip(err)
	}
	kernel, err := ktype.Kernel()
	if err != nil {
		t.Skip(err)
	}
	if err := tellsReasons(kernel); err != nil {
		t.Skip(err)
	}
	scratchns.Script(t, `
		ip link add near type veth peer name far
		ip addr add 10.9.0.1/24 dev near
		ip link set near up
		ip link set far up
		ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:99 dev near`)
	var ns unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &ns); err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.MustParseAddrPort("10.9.0.2:53")))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	from := netip.MustParseAddrPort(conn.LocalAddr().String())
	want := Drop{uint32(ns.Ino), "far", "OTHERHOST", Packet{from, netip.MustParseAddrPort("10.9.0.2:53"), unix.IPPROTO_UDP}}

	seen := func(namespaces ...uint32) []Drop {
		w, err := Start(namespaces)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("lost")); err != nil {
			t.Fatal(err)
		}
		drops, err := w.Stop()
		if err != nil {
			t.Fatal(err)
		}
		return drops
	}
	// The other end of a veth gets the packet in its own time.
	if err := wait.Until(t.Context(), 10*time.Second, "the drop to be seen", func(context.Context) error {
		if got := seen(uint32(ns.Ino)); !slices.Contains(got, want) {
			return fmt.Errorf("saw %+v, want %+v", got, want)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if got := seen(1); len(got) > 0 {
		t.Errorf("saw %+v, of a namespace that is not watched", got)
	}
}

func TestPackets(t *testing.T) {
	header := func(protocol byte, from, to string, rest ...byte) []byte {
		b := make([]byte, ipHeader, 200)
		b[0], b[9] = 0x45, protocol
		copy(b[12:], netip.MustParseAddr(from).AsSlice())
		copy(b[16:], netip.MustParseAddr(to).AsSlice())
		return append(b, rest...)
	}
	ports := []byte{0x9c, 0x40, 0x1f, 0x90} // 40000, 8080
	inner := header(unix.IPPROTO_TCP, "10.244.1.2", "10.244.2.2", ports...)
	outer := header(unix.IPPROTO_UDP, "192.168.100.11", "192.168.100.12", append([]byte{0xc3, 0x50, 0x21, 0x18, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 1, 0},
		append(make([]byte, ethHeader), inner...)...)...)
	fragment := header(unix.IPPROTO_UDP, "10.244.1.2", "10.244.2.2", ports...)
	fragment[7] = 8
	for _, c := range []struct {
		name, want string
		packet     []byte
	}{
		{"TCP", "10.244.1.2:40000 10.244.2.2:8080 6 true", inner},
		{"inside VXLAN", "10.244.1.2:40000 10.244.2.2:8080 6 true", outer},
		{"VXLAN that is cut off", "192.168.100.11:50000 192.168.100.12:8472 17 true", outer[:40]},
		{"ICMP", "10.244.1.2:0 10.244.2.2:0 1 true", header(unix.IPPROTO_ICMP, "10.244.1.2", "10.244.2.2", ports...)},
		{"a later fragment", "10.244.1.2:0 10.244.2.2:0 17 true", fragment},
		{"cut off", "invalid AddrPort invalid AddrPort 0 false", inner[:19]},
		{"IPv6", "invalid AddrPort invalid AddrPort 0 false", append([]byte{0x60}, make([]byte, 40)...)},
		{"nothing", "invalid AddrPort invalid AddrPort 0 false", nil},
	} {
		p, ok := parse(c.packet)
		if got := fmt.Sprint(p.Source, p.Destination, p.Protocol, ok); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// Whatever the bytes are, it does not panic.
func FuzzParse(f *testing.F) {
	f.Add([]byte{0x45})
	f.Fuzz(func(_ *testing.T, b []byte) { parse(b) })
}

// Root of a user namespace is told why, and is not taken for one who saw no drops.
func TestUnmeasurableSaysWhy(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may watch")
	}
	if _, err := Start(nil); !errors.Is(err, ErrUnmeasurable) {
		t.Errorf("%v, want %v", err, ErrUnmeasurable)
	}
}
