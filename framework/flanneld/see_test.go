package flanneld_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/internal/scratchns"
)

func addresses(t *testing.T) []string {
	list, err := netlink.AddrList(flannelLink(t), netlink.FAMILY_V4)
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for _, a := range list {
		lines = append(lines, a.IPNet.String())
	}
	return lines
}

// routes lists those of table main by flannel.1.
func routes(t *testing.T) []string {
	list, err := netlink.RouteList(flannelLink(t), netlink.FAMILY_V4)
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for _, r := range list {
		line := r.Dst.String()
		if r.Gw != nil {
			line += " via " + r.Gw.String()
		}
		lines = append(lines, line)
	}
	return lines
}

var states = map[int]string{
	netlink.NUD_REACHABLE: "REACHABLE", netlink.NUD_INCOMPLETE: "INCOMPLETE", netlink.NUD_FAILED: "FAILED", netlink.NUD_PERMANENT: "permanent",
}

// neighbours lists the entries of flannel.1, or its forwarding rows.
func neighbours(t *testing.T, family int) []string {
	list, err := netlink.NeighList(flannelLink(t).Attrs().Index, family)
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for _, n := range list {
		switch {
		case n.State == netlink.NUD_NOARP: // multicast
		case family == unix.AF_BRIDGE:
			lines = append(lines, fmt.Sprintf("%s dst %s self %s", n.HardwareAddr, n.IP, states[n.State]))
		case len(n.HardwareAddr) == 0:
			lines = append(lines, fmt.Sprintf("%s %s", n.IP, states[n.State]))
		default:
			lines = append(lines, fmt.Sprintf("%s lladdr %s %s", n.IP, n.HardwareAddr, states[n.State]))
		}
	}
	slices.Sort(lines)
	return lines
}

func solicit(t *testing.T) []string {
	var lines []string
	for _, who := range []string{"app", "ucast", "mcast"} {
		value, err := os.ReadFile("/proc/sys/net/ipv4/neigh/" + linkName + "/" + who + "_solicit")
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, who+" "+strings.TrimSpace(string(value)))
	}
	return lines
}

// postrouting lists the rules as iptables-save prints them.
func postrouting(t *testing.T) []string {
	lines := []string{}
	for line := range strings.Lines(scratchns.Run(t, "iptables-save", "-t", "nat")) {
		if strings.HasPrefix(line, "-A POSTROUTING") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// send sends a packet to an address, which makes the kernel look for its link address.
func send(t *testing.T, addr string) {
	conn, err := net.Dial("udp", net.JoinHostPort(addr, "9"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
}

// listenReady is the service manager's end of sd_notify(3).
func listenReady(t *testing.T) *net.UnixConn {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	return conn
}
