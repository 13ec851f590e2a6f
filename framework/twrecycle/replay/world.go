package replay

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/twrecycle"
)

// world is one sequence's own server and wire. The server is a network namespace with real listening sockets and the
// emulation at its eth0; the other end of the wire is in another namespace without any address, where frames are sent and
// captured. The calling thread stays in the server's namespace, and both go away with the thread and close().
type world struct {
	setting   *twrecycle.Setting
	wire      *packet.Conn
	client    net.HardwareAddr
	server    net.HardwareAddr
	closed    uint16 // a port on which nothing listens
	listeners []net.Listener

	mu       sync.Mutex
	clients  map[netip.AddrPort]endpoint
	nextPort uint16
}

// endpoint is what happens to one address and port of a client: the segments that arrive there, and the socket that the
// server accepts.
type endpoint struct {
	segments chan segment
	sockets  chan *net.TCPConn
}

// newWorld makes the world that a sequence needs.
func newWorld(s Sequence) (*world, error) {
	w := &world{clients: make(map[netip.AddrPort]endpoint), nextPort: 40000}
	if err := w.make(s); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *world) make(s Sequence) error {
	ifindex, err := w.lay()
	if err != nil {
		return err
	}
	clients, locals, ports := s.addresses()
	if err := w.address(ifindex, clients, locals); err != nil {
		return err
	}
	// A challenge ACK is to be seen each time it is due.
	for name, value := range map[string]string{"tcp_timestamps": "1", "tcp_syncookies": "1", "tcp_invalid_ratelimit": "0"} {
		if err := writeSetting("net.ipv4."+name, value); err != nil {
			return err
		}
	}
	if err := twrecycle.Attach(ifindex, twrecycle.Options{Semantics: s.Semantics, On: true}); err != nil {
		return err
	}
	if w.setting, err = twrecycle.Open(ifindex); err != nil {
		return err
	}
	for port := range ports {
		if err := w.listen(port); err != nil {
			return err
		}
	}
	for w.closed = 9; ports[w.closed]; w.closed++ {
	}
	go w.receive()
	return nil
}

// lay makes the two namespaces and the wire between them, and leaves the thread in the server's. It returns the index of
// the server's eth0.
func (w *world) lay() (int, error) {
	clientNS, err := netns.New()
	if err != nil {
		return 0, fmt.Errorf("network namespace: %w", err)
	}
	defer clientNS.Close()
	serverNS, err := netns.New()
	if err != nil {
		return 0, fmt.Errorf("network namespace: %w", err)
	}
	defer serverNS.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "eth0"
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "client0", PeerNamespace: netlink.NsFd(clientNS)}); err != nil {
		return 0, fmt.Errorf("veth: %w", err)
	}
	if err := netns.Set(clientNS); err != nil {
		return 0, err
	}
	link, err := netlink.LinkByName("client0")
	if err != nil {
		return 0, err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return 0, err
	}
	w.client = link.Attrs().HardwareAddr
	index := link.Attrs().Index
	w.wire, err = packet.Listen(&net.Interface{Index: index, HardwareAddr: w.client}, packet.Raw, unix.ETH_P_IP, nil)
	if err != nil {
		return 0, fmt.Errorf("capture: %w", err)
	}
	if err := netns.Set(serverNS); err != nil {
		return 0, err
	}
	link, err = netlink.LinkByName("eth0")
	if err != nil {
		return 0, err
	}
	w.server = link.Attrs().HardwareAddr
	return link.Attrs().Index, netlink.LinkSetUp(link)
}

// address gives the server its addresses, and the link address of all clients.
func (w *world) address(ifindex int, clients, locals map[netip.Addr]bool) error {
	link, err := netlink.LinkByIndex(ifindex)
	if err != nil {
		return err
	}
	for local := range locals {
		ip := &net.IPNet{IP: local.AsSlice(), Mask: net.CIDRMask(32, 32)}
		if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: ip}); err != nil {
			return fmt.Errorf("address %v: %w", local, err)
		}
	}
	everywhere := &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}
	if err := netlink.RouteAdd(&netlink.Route{LinkIndex: ifindex, Dst: everywhere, Scope: netlink.SCOPE_LINK}); err != nil {
		return fmt.Errorf("route: %w", err)
	}
	for client := range clients {
		err := netlink.NeighAdd(&netlink.Neigh{
			LinkIndex: ifindex, Family: netlink.FAMILY_V4, State: netlink.NUD_PERMANENT, IP: client.AsSlice(), HardwareAddr: w.client,
		})
		if err != nil {
			return fmt.Errorf("neighbour %v: %w", client, err)
		}
	}
	return nil
}

// listen opens a listening socket for all addresses and accepts what comes.
func (w *world) listen(port uint16) error {
	config := net.ListenConfig{KeepAlive: -1}
	config.SetMultipathTCP(false)
	listener, err := config.Listen(context.Background(), "tcp4", fmt.Sprintf(":%d", port))
	if err != nil {
		return err
	}
	w.listeners = append(w.listeners, listener)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			from := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
			w.at(netip.AddrPortFrom(from.Addr().Unmap(), from.Port())).sockets <- conn.(*net.TCPConn)
		}
	}()
	return nil
}

// receive hands what the capture sees to the connections, until the capture is closed.
func (w *world) receive() {
	frame := make([]byte, 1<<16)
	for {
		n, _, err := w.wire.ReadFrom(frame)
		if err != nil {
			return
		}
		s, err := decode(frame[:n])
		if err != nil {
			continue
		}
		select {
		case w.at(s.client).segments <- s:
		default: // nobody waits for it, or it is the umpteenth retransmission
		}
	}
}

// send puts a segment on the wire.
func (w *world) send(s segment) error {
	frame, err := s.encode(w.client, w.server)
	if err != nil {
		return err
	}
	_, err = w.wire.WriteTo(frame, &packet.Addr{HardwareAddr: w.server})
	return err
}

// at returns what happens to an address and port; channels that are nil if no connection is from there.
func (w *world) at(client netip.AddrPort) endpoint {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clients[client]
}

// newEndpoint returns an address of a client with a port that was not used yet.
func (w *world) newEndpoint(client netip.Addr) (netip.AddrPort, endpoint) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nextPort++
	address := netip.AddrPortFrom(client, w.nextPort)
	w.clients[address] = endpoint{make(chan segment, 64), make(chan *net.TCPConn, 1)}
	return address, w.clients[address]
}

// close ends the world but for its namespaces, which end with the thread.
func (w *world) close() {
	for _, l := range w.listeners {
		l.Close()
	}
	if w.wire != nil {
		w.wire.Close()
	}
	if w.setting != nil {
		w.setting.Close()
	}
}

// addresses lists all that appear in the steps.
func (s Sequence) addresses() (clients, locals map[netip.Addr]bool, ports map[uint16]bool) {
	clients, locals, ports = make(map[netip.Addr]bool), make(map[netip.Addr]bool), make(map[uint16]bool)
	for _, step := range s.Steps {
		if step.Port != 0 {
			clients[step.Client], locals[step.Local], ports[step.Port] = true, true, true
		}
	}
	return clients, locals, ports
}

// writeSetting sets a sysctl of the calling thread's network namespace.
func writeSetting(name, value string) error {
	path := "/proc/sys/" + strings.ReplaceAll(name, ".", "/")
	if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
		return fmt.Errorf("sysctl %s=%s: %w", name, value, err)
	}
	return nil
}

// patience is how long the server may take for what it does without delay.
const patience = 10 * time.Second
