// Package testwire gives a test a client and a server, each in a network namespace of its own, with a wire between them.
package testwire

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/netfault/netfault/framework/internal/scratchns"
)

// Server is the server's address; the client has those that Client returns, both at eth0.
const Server = "10.77.0.1"

// Client returns one of the client's addresses, of which there are as many as New was asked for.
func Client(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 77, byte(1 + n/250), byte(1 + n%250)})
}

// Wire is a veth pair between a client's and a server's namespace. Its methods are for the test's own goroutine, which is
// locked to a thread that moves between the two.
type Wire struct {
	t              testing.TB
	client, server netns.NsHandle

	// ClientIndex and ServerIndex are the interface indexes of the two eth0.
	ClientIndex, ServerIndex int
}

// New makes a client with a number of addresses, and a server. They go away with the test. Without root the test is skipped.
func New(t testing.TB, clients int) *Wire {
	t.Helper()
	scratchns.Enter(t)
	w := &Wire{t: t}
	var err error
	w.server, err = netns.Get()
	Check(t, err)
	w.client, err = netns.New()
	Check(t, err)
	t.Cleanup(func() { w.client.Close(); w.server.Close() })
	w.InServer(func() {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "eth0"
		Check(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(w.client)}))
		w.ServerIndex = up(t, netip.MustParseAddr(Server))
	})
	w.InClient(func() {
		var addresses []netip.Addr
		for n := range clients {
			addresses = append(addresses, Client(n))
		}
		w.ClientIndex = up(t, addresses...)
	})
	return w
}

func up(t testing.TB, addresses ...netip.Addr) int {
	t.Helper()
	link, err := netlink.LinkByName("eth0")
	Check(t, err)
	for _, a := range addresses {
		addr, err := netlink.ParseAddr(a.String() + "/16")
		Check(t, err)
		Check(t, netlink.AddrAdd(link, addr))
	}
	Check(t, netlink.LinkSetUp(link))
	return link.Attrs().Index
}

// InClient runs do in the client's namespace.
func (w *Wire) InClient(do func()) { w.in(w.client, do) }

// InServer runs do in the server's namespace.
func (w *Wire) InServer(do func()) { w.in(w.server, do) }

func (w *Wire) in(ns netns.NsHandle, do func()) {
	w.t.Helper()
	Check(w.t, netns.Set(ns))
	do()
}

// Listen opens a listening socket on the server; it is closed with the test.
func (w *Wire) Listen(network string, port int) net.Listener {
	w.t.Helper()
	var listener net.Listener
	w.InServer(func() {
		var err error
		listener, err = net.Listen(network, fmt.Sprintf(":%d", port))
		Check(w.t, err)
	})
	w.t.Cleanup(func() { listener.Close() })
	return listener
}

// Dial connects a port of the server from one of the client's addresses, within two seconds: time for two SYNs. The
// connection is closed with the test.
func (w *Wire) Dial(client netip.Addr, port int) (net.Conn, error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Second)
	defer cancel()
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(client, 0))}
	var conn net.Conn
	var err error
	w.InClient(func() { conn, err = dialer.DialContext(ctx, "tcp4", fmt.Sprintf("%s:%d", Server, port)) })
	if err == nil {
		w.t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

// Check ends the test for an error.
func Check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
