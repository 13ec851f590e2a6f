package iptables

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// kernelNet is a node with a pod on a bridge and two ways out, in network namespaces of its own:
//
//	pod: eth0 ── bridge cni0 : node : flannel.1, eth0 ── receiver
//
// Pod and receiver have no addresses: packets are put on the wire and taken from it as frames. All belongs to the calling
// goroutine, which must be locked to its thread, and vanishes with it.
type kernelNet struct {
	t           testing.TB
	pod, recv   netns.NsHandle
	node        *netlink.Handle
	nodeMAC     net.HardwareAddr
	podMAC      net.HardwareAddr
	sender      int
	podIndex    int
	barrier     int
	receivers   []int
	output      int
	local       []int
	environment []string
	nextPacket  uint32
	// flags are those of the TCP packets that it sends.
	flags          byte
	closers        []func()
	localAddresses []LocalRoute
}

// barrierType is an EtherType for experiments (IEEE 802, 0x88b5), which only the bridge forwards.
const barrierType = 0x88b5

// The addresses of the node's two ways out.
const (
	flannelAddr = "10.244.1.0"
	ethAddr     = "192.168.7.1"
)

func newKernelNet(t testing.TB, cpu, worker int) *kernelNet {
	k := &kernelNet{t: t, flags: byte(New.flags())}
	var set unix.CPUSet
	set.Set(cpu)
	k.must(unix.SchedSetaffinity(0, &set))
	k.pod, k.recv = k.namespace(), k.namespace()
	node := k.namespace() // the thread stays here
	var err error
	k.node, err = netlink.NewHandleAt(node)
	k.must(err)
	k.closers = append(k.closers, k.node.Close)

	k.must(k.node.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "cni0"}}))
	bridge := k.link("cni0")
	k.nodeMAC = bridge.Attrs().HardwareAddr
	k.address(bridge, "10.244.1.1/24")
	podEnd := k.cable("pod0", "eth0", k.pod, bridge)
	k.cable("mon0", "mon", k.pod, bridge)
	wire := k.cable("flannel.1", "wire", k.recv, nil)
	wire2 := k.cable("eth0", "wire2", k.recv, nil)
	k.address(k.link("flannel.1"), flannelAddr+"/32")
	k.address(k.link("eth0"), ethAddr+"/24")
	k.must(k.node.LinkSetUp(bridge))
	// The bridge's address follows its ports unless it is set.
	k.must(k.node.LinkSetHardwareAddr(bridge, k.nodeMAC))
	for _, ip := range podAddrs {
		k.neighbour(bridge, ip, podEnd.HardwareAddr)
	}
	for _, subnet := range []string{"10.244.2.0", "10.244.3.0"} {
		k.route(subnet+"/24", subnet, k.link("flannel.1"), wire.HardwareAddr)
	}
	k.route("10.244.4.0/24", "192.168.7.4", k.link("eth0"), wire2.HardwareAddr)
	for key, value := range map[string]string{"ipv4/ip_forward": "1", "ipv4/icmp_ratelimit": "0", "ipv6/conf/all/disable_ipv6": "1"} {
		if err := os.WriteFile("/proc/sys/net/"+key, []byte(value), 0); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}

	k.podMAC, k.podIndex = podEnd.HardwareAddr, podEnd.Index
	k.sender = k.socket(k.pod, unix.ETH_P_IP, podEnd.Index)
	monitor, err := netlink.NewHandleAt(k.pod)
	k.must(err)
	defer monitor.Close()
	mon, err := monitor.LinkByName("mon")
	k.must(err)
	k.barrier = k.socket(k.pod, barrierType, mon.Attrs().Index)
	k.receivers = []int{k.socket(k.recv, unix.ETH_P_IP, wire.Index), k.socket(k.recv, unix.ETH_P_IP, wire2.Index)}
	k.output = k.rawSocket(unix.IPPROTO_RAW)
	for _, proto := range []int{protoTCP, protoUDP, protoICMP} {
		k.local = append(k.local, k.rawSocket(proto))
	}
	k.localAddresses = k.readLocalRoutes()
	k.environment = append(os.Environ(), fmt.Sprintf("XTABLES_LOCKFILE=%s/xtables.%d.lock", t.TempDir(), worker))
	return k
}

func (k *kernelNet) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Error(err)
		panic(err)
	}
}

// namespace makes a network namespace and enters it.
func (k *kernelNet) namespace() netns.NsHandle {
	ns, err := netns.New()
	k.must(err)
	k.closers = append(k.closers, func() { ns.Close() })
	return ns
}

func (k *kernelNet) close() {
	for _, fd := range slices.Concat(k.receivers, k.local, []int{k.output, k.sender, k.barrier}) {
		unix.Close(fd)
	}
	for _, c := range k.closers {
		c()
	}
}

func (k *kernelNet) link(name string) netlink.Link {
	l, err := k.node.LinkByName(name)
	k.must(err)
	return l
}

func (k *kernelNet) address(l netlink.Link, cidr string) {
	addr, err := netlink.ParseAddr(cidr)
	k.must(err)
	k.must(k.node.AddrAdd(l, addr))
}

// cable connects the node with another namespace and returns the other end.
func (k *kernelNet) cable(name, peer string, ns netns.NsHandle, bridge netlink.Link) *netlink.LinkAttrs {
	attrs := netlink.LinkAttrs{Name: name}
	if bridge != nil {
		attrs.MasterIndex = bridge.Attrs().Index
	}
	k.must(k.node.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: peer, PeerNamespace: netlink.NsFd(ns)}))
	k.must(k.node.LinkSetUp(k.link(name)))
	other, err := netlink.NewHandleAt(ns)
	k.must(err)
	defer other.Close()
	end, err := other.LinkByName(peer)
	k.must(err)
	k.must(other.LinkSetUp(end))
	return end.Attrs()
}

func (k *kernelNet) neighbour(l netlink.Link, ip string, mac net.HardwareAddr) {
	k.must(k.node.NeighSet(&netlink.Neigh{LinkIndex: l.Attrs().Index, IP: net.ParseIP(ip), HardwareAddr: mac, State: netlink.NUD_PERMANENT}))
}

func (k *kernelNet) route(dst, gateway string, l netlink.Link, mac net.HardwareAddr) {
	k.neighbour(l, gateway, mac)
	_, network, err := net.ParseCIDR(dst)
	k.must(err)
	k.must(k.node.RouteAdd(&netlink.Route{
		LinkIndex: l.Attrs().Index, Dst: network, Gw: net.ParseIP(gateway), Flags: int(netlink.FLAG_ONLINK),
	}))
}

func (k *kernelNet) readLocalRoutes() (out []LocalRoute) {
	routes, err := k.node.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: unix.RT_TABLE_LOCAL}, netlink.RT_FILTER_TABLE)
	k.must(err)
	for _, r := range routes {
		l, err := k.node.LinkByIndex(r.LinkIndex)
		k.must(err)
		ones, _ := r.Dst.Mask.Size()
		addr, _ := netip.AddrFromSlice(r.Dst.IP.To4())
		kind := map[int]string{unix.RTN_LOCAL: "local", unix.RTN_BROADCAST: "broadcast"}[r.Type]
		out = append(out, LocalRoute{Dst: netip.PrefixFrom(addr, ones), Type: kind, Dev: l.Attrs().Name})
	}
	return out
}

// socket opens a packet socket in another namespace.
func (k *kernelNet) socket(ns netns.NsHandle, proto uint16, index int) int {
	here, err := netns.Get()
	k.must(err)
	defer here.Close()
	k.must(netns.Set(ns))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	k.must(err)
	k.must(unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: swap(proto), Ifindex: index}))
	k.must(netns.Set(here))
	return fd
}

// rawSocket opens a socket of the node: of IPPROTO_RAW to send packets, of others to see those that have passed INPUT.
func (k *kernelNet) rawSocket(proto int) int {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, proto)
	k.must(err)
	return fd
}

// establish makes a connection of which p, of UDP, is an answer.
func (k *kernelNet) establish(p Packet) {
	k.must(k.node.ConntrackCreate(netlink.ConntrackTable, unix.AF_INET, &netlink.ConntrackFlow{
		FamilyType: unix.AF_INET,
		Forward:    netlink.IPTuple{Protocol: p.Proto, SrcIP: p.Dst.AsSlice(), DstIP: p.Src.AsSlice(), SrcPort: p.Dport, DstPort: p.Sport},
		Reverse:    netlink.IPTuple{Protocol: p.Proto, SrcIP: p.Src.AsSlice(), DstIP: p.Dst.AsSlice(), SrcPort: p.Sport, DstPort: p.Dport},
		Mark:       uint32(p.Sport) & 3, TimeOut: 60,
	}))
}

func swap(n uint16) uint16 { return n<<8 | n>>8 }

// run runs a program in the node's namespace: the child starts on this thread.
func (k *kernelNet) run(input, program string, args ...string) string {
	cmd := exec.Command(program, args...)
	cmd.Env = k.environment
	cmd.Stdin = strings.NewReader(input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		k.t.Errorf("%s: %v: %s\n%s", program, err, stderr.String(), numbered(input))
		panic(err)
	}
	return stdout.String()
}

func numbered(text string) string {
	var out strings.Builder
	for i, l := range strings.Split(text, "\n") {
		fmt.Fprintf(&out, "%3d %s\n", i+1, l)
	}
	return out.String()
}

// String writes the packet as tcpdump does.
func (p Packet) String() string {
	return fmt.Sprintf("%s %s:%d > %s:%d", protoName(p.Proto), p.Src, p.Sport, p.Dst, p.Dport)
}

// seen is what the receiver saw of a packet; the zero value if nothing.
type seen struct {
	src, dst netip.Addr
	// refused says that the sender, a pod, was told that the packet was rejected.
	refused bool
}

func (s seen) String() string {
	if !s.src.IsValid() {
		return map[bool]string{false: "nothing", true: "an error"}[s.refused]
	}
	return fmt.Sprintf("%s > %s", s.src, s.dst)
}

// exchange sends packets and returns what was seen of each. The thread stays on one CPU, whose queue of packets is in
// order: when the frame that is sent last has been through the bridge, so has everything before it been through the node.
func (k *kernelNet) exchange(packets []Packet) []seen {
	first := k.nextPacket
	k.nextPacket += uint32(len(packets))
	for i, p := range packets {
		frame := p.frame(k.podMAC, k.nodeMAC, first+uint32(i), k.flags)
		if ofHost(p.Src) {
			k.sendFromNode(frame[14:], p.Dst)
		} else {
			k.send(frame)
		}
	}
	k.send(slices.Concat(bytes.Repeat([]byte{0xff}, 6), k.podMAC, []byte{barrierType >> 8, barrierType & 0xff}, make([]byte, 46)))
	buf := make([]byte, 2048)
	deadline := time.Now().Add(5 * time.Second)
	for {
		if n, err := unix.Read(k.barrier, buf); err == nil && n > 0 {
			break
		}
		if time.Now().After(deadline) {
			k.t.Error("the last frame did not come through the bridge")
			panic("no barrier")
		}
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(k.barrier), Events: unix.POLLIN}}, 1000); err != nil && err != unix.EINTR {
			k.must(err)
		}
	}
	out := make([]seen, len(packets))
	note := func(ip []byte, refused bool) {
		if id, s, ok := readPacket(ip); ok && id-first < uint32(len(packets)) {
			if refused {
				s = seen{src: out[id-first].src, dst: out[id-first].dst, refused: true}
			}
			out[id-first] = s
		}
	}
	for _, fd := range k.receivers {
		drain(fd, buf, func(frame []byte) { note(frame[14:], false) })
	}
	for _, fd := range k.local {
		drain(fd, buf, func(ip []byte) { note(ip, false) })
	}
	drain(k.sender, buf, func(frame []byte) {
		if ip := frame[14:]; len(ip) > 28 && ip[9] == protoICMP && ip[20] == 3 {
			note(ip[28:], true)
		}
	})
	return out
}

// drain reads what a socket has.
func drain(fd int, buf []byte, each func([]byte)) {
	for {
		n, err := unix.Read(fd, buf)
		if err != nil {
			return
		}
		each(buf[:n])
	}
}

// sendFromNode sends a packet with its header. OUTPUT answers what it drops with EPERM, and a DNAT to where no route leads with
// ENETUNREACH.
func (k *kernelNet) sendFromNode(ip []byte, dst netip.Addr) {
	if err := unix.Sendto(k.output, ip, 0, &unix.SockaddrInet4{Addr: dst.As4()}); err != unix.EPERM && err != unix.ENETUNREACH {
		k.must(err)
	}
}

func (k *kernelNet) send(frame []byte) {
	k.must(unix.Sendto(k.sender, frame, 0, &unix.SockaddrLinklayer{Protocol: swap(unix.ETH_P_IP), Ifindex: k.podIndex}))
}

// frame writes p with an id that NAT leaves alone: TCP's sequence number, or the payload.
func (p Packet) frame(from, to net.HardwareAddr, id uint32, flags byte) []byte {
	var l4 []byte
	word := binary.BigEndian.AppendUint32(nil, id)
	sum := 0
	switch p.Proto {
	case protoTCP:
		l4 = binary.BigEndian.AppendUint16(nil, p.Sport)
		l4 = binary.BigEndian.AppendUint16(l4, p.Dport)
		l4 = append(l4, word...)
		l4 = append(l4, 0, 0, 0, 0, 5<<4, flags, 0xff, 0xff, 0, 0, 0, 0)
		sum = 16
	case protoUDP:
		l4 = binary.BigEndian.AppendUint16(nil, p.Sport)
		l4 = binary.BigEndian.AppendUint16(l4, p.Dport)
		l4 = append(l4, 0, 12, 0, 0)
		l4 = append(l4, word...)
		sum = 6
	default: // ICMP echo request
		l4 = append([]byte{8, 0, 0, 0}, byte(id>>8), byte(id), 0, 1)
		l4 = append(l4, word...)
		sum = 2
	}
	src, dst := p.Src.AsSlice(), p.Dst.AsSlice()
	var pseudo []byte
	if p.Proto != 1 {
		pseudo = slices.Concat(src, dst, []byte{0, p.Proto, 0, byte(len(l4))})
	}
	binary.BigEndian.PutUint16(l4[sum:], checksum(append(pseudo, l4...)))
	ip := slices.Concat([]byte{0x45, 0, 0, byte(20 + len(l4)), byte(id >> 8), byte(id), 0x40, 0, 64, p.Proto, 0, 0}, src, dst)
	binary.BigEndian.PutUint16(ip[10:], checksum(ip))
	return slices.Concat(to, from, []byte{8, 0}, ip, l4)
}

// checksum is the one of RFC 1071.
func checksum(b []byte) uint16 {
	sum := uint32(0)
	for i := 0; i < len(b); i += 2 {
		if i+1 == len(b) {
			sum += uint32(b[i]) << 8
		} else {
			sum += uint32(binary.BigEndian.Uint16(b[i:]))
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// readPacket reads a packet that frame has written.
func readPacket(ip []byte) (id uint32, s seen, ok bool) {
	if len(ip) < 20+12 || ip[0] != 0x45 || ip[9] == protoICMP && ip[20] != 8 {
		return 0, s, false
	}
	src, _ := netip.AddrFromSlice(ip[12:16])
	dst, _ := netip.AddrFromSlice(ip[16:20])
	at := map[byte]int{protoTCP: 24, protoUDP: 28, 1: 28}[ip[9]]
	if at == 0 {
		return 0, s, false
	}
	return binary.BigEndian.Uint32(ip[at:]), seen{src: src, dst: dst}, true
}
