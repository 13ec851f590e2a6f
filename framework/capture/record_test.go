package capture

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/netfault/netfault/framework/tcpskew"
	"github.com/netfault/netfault/framework/twrecycle"
	"github.com/netfault/netfault/framework/wait"
)

// recordDir is the environment variable that names the folder to which TestRecord writes the captures of
// fixtures/captures. Run it as root from this folder:
//
//	NETFAULT_RECORD=../../fixtures/captures go test -run TestRecord -v .
const recordDir = "NETFAULT_RECORD"

const (
	listenerAddr = "10.244.1.2:8080"
	otherPort    = "10.244.1.2:8081"
	// patient is how long a client waits: long enough to try twice.
	patient = 1300 * time.Millisecond
	// hasty clients try once.
	hasty = 300 * time.Millisecond
)

// network is two clients that a node masquerades, and a pod behind it.
type network struct {
	newer, older, node, pod *space
	dir                     string
}

// newNetwork makes the network. The pod sees newer and older as one address.
func newNetwork(t *testing.T) *network {
	n := &network{newer: newSpace(t), older: newSpace(t), node: newSpace(t), pod: newSpace(t), dir: os.Getenv(recordDir)}
	wire(n.newer, "eth0", "10.9.1.2/24", n.node, "newer", "10.9.1.1/24")
	wire(n.older, "eth0", "10.9.2.2/24", n.node, "older", "10.9.2.1/24")
	wire(n.pod, "eth0", "10.244.1.2/24", n.node, "vethpod", "10.244.1.1/24")
	n.newer.run("ip route add default via 10.9.1.1")
	n.older.run("ip route add default via 10.9.2.1")
	n.pod.run("ip route add default via 10.244.1.1")
	n.node.run(`sysctl -qw net.ipv4.ip_forward=1
		iptables -t nat -A POSTROUTING -o vethpod -j MASQUERADE`)
	return n
}

// The timestamps of the incident: those of newer and of older at their first SYN. They grow by 1 a millisecond.
const newerTSVal, olderTSVal = 621_677_338, 613_760_700

// skew gives the two clients clocks as those of machines that were started at different times.
func (n *network) skew() {
	n.newer.t.Helper()
	n.skewTo(newerTSVal, olderTSVal)
}

func (n *network) skewTo(newer, older uint32) {
	n.newer.t.Helper()
	for s, first := range map[*space]uint32{n.newer: newer, n.older: older} {
		if err := s.onEth0(func(index int) error { return tcpskew.Attach(index, first) }); err != nil {
			s.t.Fatal(err)
		}
	}
}

// recycle turns on what stands in for net.ipv4.tcp_tw_recycle in the pod.
func (n *network) recycle() {
	n.pod.t.Helper()
	err := n.pod.onEth0(func(index int) error {
		return twrecycle.Attach(index, twrecycle.Options{Semantics: twrecycle.V4, On: true})
	})
	if err != nil {
		n.pod.t.Fatal(err)
	}
}

// onEth0 calls do in the namespace with the index of its eth0.
func (s *space) onEth0(do func(index int) error) error {
	return s.in(func() error {
		link, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		return do(link.Index)
	})
}

// secondWay gives the pod a second wire to the node, and a routing table 100 that leads there.
func (n *network) secondWay() {
	wire(n.pod, "eth1", "10.244.2.2/24", n.node, "vethpod2", "10.244.2.1/24")
	n.pod.run("ip route add default via 10.244.2.1 table 100")
	n.node.run("sysctl -qw net.ipv4.conf.all.rp_filter=0\nsysctl -qw net.ipv4.conf.vethpod2.rp_filter=0")
}

// ask opens connections of both clients to addr in turn, times over, and returns how many were answered.
func (n *network) ask(addr string, times int, limit time.Duration) (answered int) {
	for range times {
		for _, s := range []*space{n.newer, n.older} {
			if s.dial(addr, limit) {
				answered++
			}
		}
	}
	return answered
}

// hang opens connections of older, none of which must be answered.
func (n *network) hang(times int, limit time.Duration) {
	n.older.t.Helper()
	for range times {
		if n.older.dial(listenerAddr, limit) {
			n.older.t.Error("older was answered")
		}
	}
}

// pass opens one connection of newer, which must be answered.
func (n *network) pass() {
	n.newer.t.Helper()
	if !n.newer.dial(listenerAddr, patient) {
		n.newer.t.Error("newer was not answered")
	}
}

// record captures on the pod's host-side link while do runs, and keeps it as a file.
func (n *network) record(name string, filter Filter, do func()) {
	n.node.t.Helper()
	var pcap bytes.Buffer
	c := n.node.capture("vethpod", filter, &pcap)
	do()
	stats, err := c.Stop()
	if err != nil || stats.Dropped > 0 || stats.Packets == 0 {
		n.node.t.Fatalf("%+v, %v", stats, err)
	}
	if err := os.WriteFile(filepath.Join(n.dir, name+".pcap"), pcap.Bytes(), 0o644); err != nil {
		n.node.t.Fatal(err)
	}
	n.node.t.Logf("%d packets, %d bytes", stats.Packets, pcap.Len())
}

// recordings are the captures of fixtures/captures: what net.ipv4.tcp_tw_recycle=1 does, and what looks like it.
// detectors/tw_recycle_recorded_test.go has the verdict on each.
var recordings = []struct {
	name string
	do   func(n *network, record func(Filter, func()))
}{
	{"recycle", func(n *network, record func(Filter, func())) {
		n.skew()
		n.recycle()
		n.pod.serve(listenerAddr)
		record(Openings, func() {
			n.pass()
			n.hang(3, patient)
			n.pass()
			n.hang(3, patient)
			n.pass()
		})
	}},
	// The newer clock wraps meanwhile.
	{"recycle-wrap", func(n *network, record func(Filter, func())) {
		n.skewTo(1<<32-2000, 1<<32-8_000_000)
		n.recycle()
		n.pod.serve(listenerAddr)
		record(Openings, func() {
			for range 4 {
				n.pass()
				n.hang(1, patient)
			}
			n.pass()
		})
	}},
	// Clients that give up before they try again.
	{"recycle-hasty", func(n *network, record func(Filter, func())) {
		n.skew()
		n.recycle()
		n.pod.serve(listenerAddr)
		record(Openings, func() {
			for range 3 {
				n.pass()
				n.hang(2, hasty)
			}
			n.pass()
			n.pass()
		})
	}},
	// Older has no timestamps at all: el7's and 4.x kernels drop its SYNs, too.
	{"recycle-bare", func(n *network, record func(Filter, func())) {
		n.skew()
		n.recycle()
		n.older.run("sysctl -qw net.ipv4.tcp_timestamps=0")
		n.pod.serve(listenerAddr)
		record(Openings, func() {
			for range 3 {
				n.pass()
				n.hang(2, patient)
			}
			n.pass()
		})
	}},
	// Six tries, but two requests.
	{"repeated", func(n *network, record func(Filter, func())) {
		n.skew()
		n.recycle()
		n.pod.serve(listenerAddr)
		record(Openings, func() {
			n.pass()
			n.hang(2, 3300*time.Millisecond)
			n.pass()
		})
	}},
	// The capture begins after newer was answered, so that nothing tells at first why older is not.
	{"middle", func(n *network, record func(Filter, func())) {
		n.skew()
		n.recycle()
		n.pod.serve(listenerAddr)
		n.pass()
		record(Openings, func() {
			n.hang(3, patient)
			n.pass()
			n.hang(1, patient)
			n.pass()
		})
	}},
	{"random-loss", func(n *network, record func(Filter, func())) {
		n.skew()
		n.pod.serve(listenerAddr)
		n.pod.run("iptables -A INPUT -p tcp -m statistic --mode random --probability 0.3 -j DROP")
		record(Openings, func() { n.ask(listenerAddr, 20, hasty) })
	}},
	{"accept-queue", func(n *network, record func(Filter, func())) {
		n.skew()
		n.pod.run("sysctl -qw net.core.somaxconn=1")
		accept := n.pod.listen(listenerAddr)
		record(Openings, func() {
			if got := n.ask(listenerAddr, 5, hasty); got == 0 || got == 10 {
				n.pod.t.Errorf("%d of 10 answered by a full queue", got)
			}
			accept()
			err := wait.Until(n.pod.t.Context(), 10*time.Second, "the queue to be empty", func(context.Context) error {
				if !n.newer.dial(listenerAddr, patient) {
					return errors.New("no answer")
				}
				return nil
			})
			if err != nil {
				n.pod.t.Fatal(err)
			}
			if got := n.ask(listenerAddr, 2, patient); got != 4 {
				n.pod.t.Errorf("%d of 4 answered by an empty queue", got)
			}
		})
	}},
	{"drop-rule", func(n *network, record func(Filter, func())) {
		n.skew()
		n.pod.serve(listenerAddr)
		n.pod.serve(otherPort)
		n.pod.run("iptables -A INPUT -p tcp --dport 8081 -j DROP")
		record(Openings, func() {
			for range 6 {
				n.ask(listenerAddr, 1, hasty)
				n.ask(otherPort, 1, hasty)
			}
		})
	}},
	// Newer uses one port, older another one, which drops everything: nothing tells why.
	{"two-ports", func(n *network, record func(Filter, func())) {
		n.skew()
		n.pod.serve(listenerAddr)
		n.pod.serve(otherPort)
		n.pod.run("iptables -A INPUT -p tcp --dport 8081 -j DROP")
		record(Openings, func() {
			for range 4 {
				n.pass()
				n.older.dial(otherPort, patient)
			}
			n.pass()
		})
	}},
	// As a kernel without the setting answers.
	{"backward-answered", func(n *network, record func(Filter, func())) {
		n.skew()
		n.pod.serve(listenerAddr)
		record(TCP, func() {
			if got := n.ask(listenerAddr, 5, patient); got != 10 {
				n.pod.t.Errorf("%d of 10 answered", got)
			}
		})
	}},
	{"bare-answered", func(n *network, record func(Filter, func())) {
		n.skew()
		n.older.run("sysctl -qw net.ipv4.tcp_timestamps=0")
		n.pod.serve(listenerAddr)
		record(TCP, func() {
			if got := n.ask(listenerAddr, 5, patient); got != 10 {
				n.pod.t.Errorf("%d of 10 answered", got)
			}
		})
	}},
	// Linux since 4.11 draws an offset for each connection, so that a single client's timestamps run backwards.
	{"random-offsets", func(n *network, record func(Filter, func())) {
		n.pod.serve(listenerAddr)
		record(Openings, func() {
			for range 20 {
				n.pass()
			}
		})
	}},
	// The answers leave the pod by another link than the one captured on.
	{"one-sided", func(n *network, record func(Filter, func())) {
		n.skew()
		n.secondWay()
		n.pod.run("ip rule add from 10.244.1.2 table 100")
		n.pod.serve(listenerAddr)
		record(Openings, func() {
			if got := n.ask(listenerAddr, 5, patient); got != 10 {
				n.pod.t.Errorf("%d of 10 answered", got)
			}
		})
	}},
	// Only the answers to older leave by another link.
	{"one-sided-for-older", func(n *network, record func(Filter, func())) {
		n.skew()
		n.secondWay()
		n.older.run("iptables -t mangle -A OUTPUT -j DSCP --set-dscp 4")
		n.pod.run(`iptables -t mangle -A PREROUTING -m dscp --dscp 4 -j CONNMARK --set-mark 1
			iptables -t mangle -A OUTPUT -j CONNMARK --restore-mark
			ip rule add fwmark 1 table 100`)
		n.pod.serve(listenerAddr)
		record(Openings, func() {
			if got := n.ask(listenerAddr, 5, patient); got != 10 {
				n.pod.t.Errorf("%d of 10 answered", got)
			}
		})
	}},
}

// TestRecord records fixtures/captures anew, about 40 s of real connections.
func TestRecord(t *testing.T) {
	if os.Getenv(recordDir) == "" {
		t.Skipf("records fixtures/captures: set %s to the folder to write to", recordDir)
	}
	for _, r := range recordings {
		t.Run(r.name, func(t *testing.T) {
			n := newNetwork(t)
			r.do(n, func(f Filter, do func()) { n.record(r.name, f, do) })
		})
	}
}
