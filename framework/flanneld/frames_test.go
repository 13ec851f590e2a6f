package flanneld_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/sys/unix"
)

// vxlanPort is the kernel's default, which flannel leaves as it is.
const vxlanPort = 8472

// frames are the packets that flannel.1 has sent to other nodes.
type frames struct {
	t     *testing.T
	fd    int
	lines []string
}

// watchFrames looks at what leaves by an interface. The kernel hands a packet over before it returns from sending it, so that what
// is not there is not to come.
func watchFrames(t *testing.T, iface string) *frames {
	link, err := net.InterfaceByName(iface)
	if err != nil {
		t.Fatal(err)
	}
	all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, int(all))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Index}); err != nil {
		t.Fatal(err)
	}
	return &frames{t: t, fd: fd}
}

// seen lists the IPv4 packets in them since forget, each with its link address and the node that it went to.
func (f *frames) seen() []string {
	buf := make([]byte, 2048)
	for {
		n, _, err := unix.Recvfrom(f.fd, buf, 0)
		if errors.Is(err, unix.EAGAIN) {
			return append([]string{}, f.lines...)
		}
		if err != nil {
			f.t.Fatal(err)
		}
		if line, ok := frameLine(buf[:n]); ok {
			f.lines = append(f.lines, line)
		}
	}
}

// forget begins anew.
func (f *frames) forget() {
	f.seen()
	f.lines = nil
}

func frameLine(data []byte) (string, bool) {
	outer := gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.NoCopy)
	ip, isIP := outer.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
	udp, isUDP := outer.Layer(layers.LayerTypeUDP).(*layers.UDP)
	if !isIP || !isUDP || udp.DstPort != vxlanPort {
		return "", false
	}
	inner := gopacket.NewPacket(udp.Payload, layers.LayerTypeVXLAN, gopacket.NoCopy)
	eth, isEth := inner.Layer(layers.LayerTypeEthernet).(*layers.Ethernet)
	to, isIPv4 := inner.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
	if !isEth || !isIPv4 {
		return "", false
	}
	return fmt.Sprintf("%s to %s at %s", to.DstIP, eth.DstMAC, ip.DstIP), true
}
