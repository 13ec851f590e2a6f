package twrecycle_test

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

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/internal/tcbpf/testwire"
	"github.com/netfault/netfault/framework/tcpskew"
	"github.com/netfault/netfault/framework/twrecycle"
	"github.com/netfault/netfault/framework/wait"
)

// attach gives the server of a wire the setting, on.
func attach(t *testing.T, w *testwire.Wire, semantics twrecycle.Semantics) *twrecycle.Setting {
	t.Helper()
	var setting *twrecycle.Setting
	w.InServer(func() {
		testwire.Check(t, twrecycle.Attach(w.ServerIndex, twrecycle.Options{Semantics: semantics, On: true}))
		var err error
		setting, err = twrecycle.Open(w.ServerIndex)
		testwire.Check(t, err)
	})
	t.Cleanup(setting.Close)
	return setting
}

// awaitRecords waits until that many peers have a record.
func awaitRecords(t *testing.T, setting *twrecycle.Setting, n int) []twrecycle.Record {
	t.Helper()
	var records []twrecycle.Record
	testwire.Check(t, wait.Until(t.Context(), 5*time.Second, fmt.Sprintf("%d records", n), func(context.Context) error {
		var err error
		records, err = setting.Records()
		if err == nil && len(records) != n {
			err = fmt.Errorf("%d records", len(records))
		}
		return err
	}))
	return records
}

// Every one of many connections that the server closes first must leave a record, with whatever socket the server listens,
// and whether the client closes too, lets its acknowledgment wait, or sends it at once: on the same machine it then arrives
// while close() still holds the socket.
func TestEveryServerFirstCloseOfARealClient(t *testing.T) {
	const clients = 200
	for _, network := range []string{"tcp4", "tcp"} { // tcp: an IPv6 socket that takes IPv4, and MPTCP where there is some
		for _, half := range []string{"client stays", "client stays and acknowledges at once", "client closes"} {
			t.Run(network+", "+half, func(t *testing.T) {
				w := testwire.New(t, clients)
				setting := attach(t, w, twrecycle.V4)
				closeAll(w.Listen(network, 80))
				if half == "client stays and acknowledges at once" {
					w.InClient(func() { acknowledgeAtOnce(t, w.ClientIndex) })
				}
				before := time.Now().Truncate(time.Second).Add(-time.Second) // the kernel's own stamps have whole seconds
				for n := range clients {
					conn, err := w.Dial(testwire.Client(n), 80)
					testwire.Check(t, err)
					if half == "client closes" {
						readEnd(t, conn)
						testwire.Check(t, conn.Close())
					}
				}
				for n, r := range awaitRecords(t, setting, clients) {
					if r.Peer != testwire.Client(n) || r.Local.String() != testwire.Server || r.Stamp.Before(before) || r.Stamp.After(time.Now()) {
						t.Errorf("record %d: %+v", n, r)
					}
				}
			})
		}
	}
}

// acknowledgeAtOnce has the client's kernel delay no acknowledgments.
func acknowledgeAtOnce(t *testing.T, ifindex int) {
	t.Helper()
	routes, err := netlink.RouteList(link(t, ifindex), netlink.FAMILY_V4)
	testwire.Check(t, err)
	if len(routes) != 1 {
		t.Fatalf("routes %v, want the one of the wire", routes)
	}
	routes[0].QuickACK = 1
	testwire.Check(t, netlink.RouteReplace(&routes[0]))
}

// readEnd reads to the end of what the other side sends.
func readEnd(t *testing.T, conn net.Conn) {
	t.Helper()
	testwire.Check(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Fatalf("read %d bytes, %v", n, err)
	}
}

// Nothing is recorded of a socket that its owner only shut down, even if the acknowledgment comes during shutdown().
func TestShutdownIsNoClose(t *testing.T) {
	const clients = 100
	w := testwire.New(t, clients)
	w.InClient(func() { acknowledgeAtOnce(t, w.ClientIndex) })
	setting := attach(t, w, twrecycle.V4)
	listener := w.Listen("tcp4", 80)
	kept := make(chan net.Conn, clients)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.(*net.TCPConn).CloseWrite()
			kept <- conn
		}
	}()
	var conns []net.Conn
	for n := range clients {
		conn, err := w.Dial(testwire.Client(n), 80)
		testwire.Check(t, err)
		readEnd(t, conn)
		conns = append(conns, conn)
		defer (<-kept).Close()
	}
	if records, err := setting.Records(); err != nil || len(records) != 0 {
		t.Errorf("%d records of sockets that are shut down: %v", len(records), err)
	}
	for _, conn := range conns {
		testwire.Check(t, conn.Close())
	}
	awaitRecords(t, setting, clients)
}

// The incident, with real clients that share one address and whose clocks differ: what the faster clock's connection leaves
// behind drops the slower one's, until the setting is off.
func TestIncident(t *testing.T) {
	w := testwire.New(t, 1)
	setting := attach(t, w, twrecycle.V310)
	closeAll(w.Listen("tcp4", 80))
	connects := func(clock uint32) bool {
		w.InClient(func() {
			testwire.Check(t, tcpskew.Detach(w.ClientIndex))
			testwire.Check(t, tcpskew.Attach(w.ClientIndex, clock))
		})
		conn, err := w.Dial(testwire.Client(0), 80)
		if err != nil {
			return false
		}
		readEnd(t, conn)
		testwire.Check(t, conn.Close())
		return true
	}
	const fast, slow = 621677338, 613760701
	for n, step := range []struct {
		clock uint32
		on    bool
		want  bool
	}{{fast, true, true}, {slow, true, false}, {fast + 20000, true, true}, {slow, true, false}, {slow, false, true}} {
		testwire.Check(t, setting.Set(step.on))
		if got := connects(step.clock); got != step.want {
			t.Errorf("connection %d, with the clock at %d: connected %v, want %v", n+1, step.clock, got, step.want)
		}
		if step.clock == fast {
			awaitRecords(t, setting, 1)
		}
	}
	records := awaitRecords(t, setting, 1)
	if r := records[0]; r.TSVal < fast+20000 || r.TSVal > fast+22000 || r.Local.IsValid() {
		t.Errorf("record %+v", r)
	}
	// Each of the two attempts is a SYN and its retransmission after a second; on a machine that has other work, those after three and
	// seven seconds come before the attempt is given up.
	if drops, err := setting.Dropped(); err != nil || drops.Count < 2 || drops.Count > 8 {
		t.Errorf("drops %+v, %v", drops, err)
	}
}

// closeAll closes every connection at once.
func closeAll(listener net.Listener) {
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
}

// What another process does with the setting is seen by all; what is not attached is said to be so.
func TestSettingIsFoundAgain(t *testing.T) {
	w := testwire.New(t, 1)
	w.InServer(func() {
		if _, err := twrecycle.Open(w.ServerIndex); !errors.Is(err, twrecycle.ErrNotAttached) {
			t.Errorf("open without the setting: %v", err)
		}
		testwire.Check(t, twrecycle.Detach(w.ServerIndex))
		if err := twrecycle.Attach(w.ServerIndex, twrecycle.Options{}); err == nil {
			t.Error("attached without semantics")
		}
		testwire.Check(t, twrecycle.Attach(w.ServerIndex, twrecycle.Options{Semantics: twrecycle.EL7}))
		if err := twrecycle.Attach(w.ServerIndex, twrecycle.Options{Semantics: twrecycle.EL7}); err == nil {
			t.Error("attached twice")
		}
		one, err := twrecycle.Open(w.ServerIndex)
		testwire.Check(t, err)
		defer one.Close()
		other, err := twrecycle.Open(w.ServerIndex)
		testwire.Check(t, err)
		defer other.Close()
		for _, want := range []bool{true, false, true} {
			testwire.Check(t, one.Set(want))
			if on, err := other.On(); err != nil || on != want {
				t.Errorf("on is %v after Set(%v), %v", on, want, err)
			}
		}
		if s, err := other.Semantics(); err != nil || s != twrecycle.EL7 {
			t.Errorf("semantics %v, %v", s, err)
		}
		testwire.Check(t, twrecycle.Detach(w.ServerIndex))
		if _, err := twrecycle.Open(w.ServerIndex); !errors.Is(err, twrecycle.ErrNotAttached) {
			t.Errorf("open after Detach: %v", err)
		}
	})
}

// Forget removes one peer's records and no other's, and dropping is over for that peer.
func TestForget(t *testing.T) {
	w := testwire.New(t, 2)
	setting := attach(t, w, twrecycle.V4)
	closeAll(w.Listen("tcp4", 80))
	for n := range 2 {
		conn, err := w.Dial(testwire.Client(n), 80)
		testwire.Check(t, err)
		readEnd(t, conn)
		testwire.Check(t, conn.Close())
	}
	awaitRecords(t, setting, 2)
	// Without timestamps, each further SYN of a client with a record is dropped.
	w.InClient(func() { testwire.Check(t, os.WriteFile("/proc/sys/net/ipv4/tcp_timestamps", []byte("0"), 0o644)) })
	for _, c := range []struct {
		forget  netip.Addr
		records int
	}{{netip.MustParseAddr("192.0.2.1"), 0}, {testwire.Client(0), 1}} {
		if n, err := setting.Forget(c.forget); err != nil || n != c.records {
			t.Errorf("forgot %d records of %v, want %d: %v", n, c.forget, c.records, err)
		}
	}
	if records, err := setting.Records(); err != nil || len(records) != 1 || records[0].Peer != testwire.Client(1) {
		t.Errorf("records %v, %v", records, err)
	}
	if _, err := w.Dial(testwire.Client(0), 80); err != nil {
		t.Errorf("the peer that was forgotten: %v", err)
	}
	if none, err := setting.Dropped(); err != nil || none != (twrecycle.Drops{}) {
		t.Errorf("drops %+v, %v", none, err)
	}
	before := time.Now()
	if conn, err := w.Dial(testwire.Client(1), 80); err == nil {
		t.Errorf("the other peer was connected: %v", conn)
	}
	drops, err := setting.Dropped()
	if err != nil || drops.Count == 0 || drops.Last.Before(before.Add(-time.Second)) || drops.Last.After(time.Now().Add(time.Second)) {
		t.Errorf("drops %+v, %v", drops, err)
	}
}

// What the emulation leaves at an interface goes away with Detach, but not what others have put there.
func TestDetachLeavesOthers(t *testing.T) {
	w := testwire.New(t, 1)
	w.InServer(func() {
		qdiscs := func() []string { return names(t, w.ServerIndex) }
		before := qdiscs()
		testwire.Check(t, twrecycle.Attach(w.ServerIndex, twrecycle.Options{Semantics: twrecycle.V4}))
		if now := qdiscs(); !slices.Contains(now, "clsact") {
			t.Errorf("qdiscs %v", now)
		}
		testwire.Check(t, twrecycle.Detach(w.ServerIndex))
		if now := qdiscs(); !slices.Equal(now, before) {
			t.Errorf("qdiscs %v, before %v", now, before)
		}
		addFilter(t, w.ServerIndex)
		testwire.Check(t, twrecycle.Attach(w.ServerIndex, twrecycle.Options{Semantics: twrecycle.V4}))
		testwire.Check(t, twrecycle.Detach(w.ServerIndex))
		if n := filters(t, w.ServerIndex); n != 1 {
			t.Errorf("%d filters, want the one of somebody else", n)
		}
	})
}

func names(t *testing.T, ifindex int) []string {
	t.Helper()
	list, err := netlink.QdiscList(link(t, ifindex))
	testwire.Check(t, err)
	var names []string
	for _, q := range list {
		names = append(names, q.Type())
	}
	return names
}

// addFilter puts a filter on the egress that lets everything pass.
func addFilter(t *testing.T, ifindex int) {
	t.Helper()
	testwire.Check(t, netlink.QdiscAdd(&netlink.Clsact{
		QdiscAttrs: netlink.QdiscAttrs{LinkIndex: ifindex, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT},
	}))
	testwire.Check(t, netlink.FilterAdd(&netlink.U32{FilterAttrs: netlink.FilterAttrs{
		LinkIndex: ifindex, Parent: netlink.HANDLE_MIN_EGRESS, Priority: 1, Protocol: unix.ETH_P_ALL,
	}}))
}

// filters counts the filters on the egress, without the hash tables that come with a U32 one.
func filters(t *testing.T, ifindex int) int {
	t.Helper()
	list, err := netlink.FilterList(link(t, ifindex), netlink.HANDLE_MIN_EGRESS)
	testwire.Check(t, err)
	n := 0
	for _, f := range list {
		if u, ok := f.(*netlink.U32); ok && u.Sel != nil {
			n++
		}
	}
	return n
}

func link(t *testing.T, ifindex int) netlink.Link {
	t.Helper()
	l, err := netlink.LinkByIndex(ifindex)
	testwire.Check(t, err)
	return l
}
