package kstate

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/netfault/netfault/framework/internal/scratchns"
	waiting "github.com/netfault/netfault/framework/wait"
)

// node makes a namespace that looks like a flannel node.
func node(t testing.TB) {
	t.Helper()
	scratchns.Enter(t)
	scratchns.Script(t, `
		ip link set lo up
		ip link add eth0 type veth peer name underlay0
		ip link set underlay0 up
		ip link set eth0 up
		ip addr add 172.18.0.2/16 brd 172.18.255.255 dev eth0
		ip addr add 172.18.0.22/16 dev eth0
		ip route add default via 172.18.0.1
		ip link add flannel.1 address 0a:00:00:00:00:01 type vxlan id 1 local 172.18.0.2 dev eth0 dstport 8472 nolearning
		ip link set flannel.1 mtu 1450 up
		ip addr add 10.244.1.0/32 dev flannel.1
		ip link add cni0 type bridge
		ip link set cni0 up
		ip addr add 10.244.1.1/24 brd 10.244.1.255 dev cni0
		ip link add veth1 type veth peer name pod1
		ip link set veth1 master cni0
		ip link set dev veth1 type bridge_slave hairpin on
		ip link set veth1 up
		ip link set pod1 up
		ip route add 10.99.0.0/16 proto static metric 50 nexthop via 172.18.0.7 nexthop via 172.18.0.8 weight 2
		ip route add unreachable 10.98.0.0/16
		ip route add default via 172.18.0.9 table 1000
		ip -6 route add 2001:db8::/64 dev eth0 metric 7
		ip rule add from 10.244.0.0/16 lookup 1000 priority 100
		ip rule add not fwmark 0x4000/0x4000 lookup 1001 priority 101
		ip rule add iif cni0 fwmark 0x1/0x1 blackhole priority 102
		bridge fdb add 0a:00:00:00:11:01 dev veth1 master static
		ip neigh add proxy 10.1.2.3 dev eth0
		tc qdisc add dev eth0 clsact
		sysctl -q -w net.ipv4.ip_forward=1
		sysctl -q -w net.ipv6.conf.flannel/1.accept_ra=0
		iptables-nft -t nat -N FLANNEL-POSTRTG
		iptables-nft -t nat -A POSTROUTING -m comment --comment flanneld -j FLANNEL-POSTRTG
		iptables-nft -t nat -A FLANNEL-POSTRTG -s 10.244.0.0/16 -d 10.244.0.0/16 -j RETURN
		iptables-legacy -P FORWARD DROP
		iptables-legacy -A FORWARD -s 10.244.0.0/16 -j ACCEPT`)
	for peer := 2; peer <= 4; peer++ {
		scratchns.Script(t, peerOf(peer, "replace", fmt.Sprintf("0a:00:00:00:00:%02d", peer)))
	}
}

// peerOf returns the commands that flanneld's rows for a peer amount to.
func peerOf(peer int, verb, mac string) string {
	return fmt.Sprintf(`
		ip neigh %[3]s 10.244.%[1]d.0 lladdr %[2]s dev flannel.1 nud permanent
		bridge fdb %[3]s %[2]s dev flannel.1 dst 172.18.0.1%[1]d self permanent
		ip route %[3]s 10.244.%[1]d.0/24 via 10.244.%[1]d.0 dev flannel.1 onlink
	`, peer, mac, verb)
}

func record(t testing.TB) State {
	t.Helper()
	s, err := Record(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// throughJSON returns the state as another process gets it.
func throughJSON(t testing.TB, s State) State {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back State
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

func noProblems(t testing.TB, problems []Problem) {
	t.Helper()
	for _, p := range problems {
		t.Errorf("not undone: %v", p)
	}
}

func noDifferences(t testing.TB, want, got State) {
	t.Helper()
	for _, d := range Diff(want, got) {
		t.Errorf("differs: %v", d)
	}
}

// settles waits until there are no differences: the kernel gives a bridge that is made again its link-local address in its own
// time, first one of the address that the bridge had for a moment.
func settles(t testing.TB, want State) {
	t.Helper()
	err := waiting.Until(t.Context(), 5*time.Second, "the state from before", func(context.Context) error {
		if left := Diff(want, record(t)); len(left) > 0 {
			return fmt.Errorf("differs: %v", left)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// restoreAgain checks that a second Restore changes nothing: it makes no netlink request that would bring another
// ifindex, and finds nothing left.
func restoreAgain(t testing.TB, want State) {
	t.Helper()
	before := record(t)
	noProblems(t, Restore(context.Background(), want))
	noDifferences(t, before, record(t))
}

// wrecks are ways in which a node's state gets lost; most are what a fault of the catalogue does.
var wrecks = map[string]string{
	"flannel.1 made again by flanneld with another address and number": `
		ip link del flannel.1
		ip link add other type bridge
		ip link add flannel.1 address 0a:00:00:00:00:99 type vxlan id 1 local 172.18.0.2 dev eth0 dstport 8472 nolearning
		ip link set flannel.1 mtu 1450 up
		ip addr add 10.244.1.0/32 dev flannel.1
		ip link del other` + peerOf(2, "replace", "0a:00:00:00:00:77"),
	"flannel.1 lost":           `ip link del flannel.1`,
	"flannel.1 other address":  `ip link set flannel.1 address 0a:00:00:00:00:55`,
	"flannel.1 down":           `ip link set flannel.1 down`,
	"flannel.1 down and up":    "ip link set flannel.1 down\n ip link set flannel.1 up",
	"flannel.1 address gone":   `ip addr flush dev flannel.1`,
	"flannel.1 other settings": "ip link del flannel.1\n ip link add flannel.1 address 0a:00:00:00:00:01 type vxlan id 2 local 172.18.0.2 dev eth0 dstport 4789",
	"flannel.1 as something else": `
		ip link del flannel.1
		ip link add flannel.1 type bridge`,
	"eth0 down and up":     "ip link set eth0 down\n ip link set eth0 up",
	"eth0 other MTU":       `ip link set eth0 mtu 1400`,
	"eth0 flushed":         `ip addr flush dev eth0`,
	"eth0 other broadcast": "ip addr del 172.18.0.2/16 dev eth0\n ip addr add 172.18.0.2/16 dev eth0",
	"peer other address":   peerOf(3, "replace", "0a:00:00:00:00:88"),
	"peer gone": `
		ip neigh del 10.244.3.0 dev flannel.1
		bridge fdb del 0a:00:00:00:00:03 dev flannel.1 dst 172.18.0.13 self
		ip route del 10.244.3.0/24`,
	"neighbour no longer permanent": `ip neigh replace 10.244.3.0 lladdr 0a:00:00:00:00:03 dev flannel.1 nud stale`,
	"proxy neighbour gone":          `ip neigh del proxy 10.1.2.3 dev eth0`,
	"second remote for a MAC":       `bridge fdb append 00:00:00:00:00:00 dev flannel.1 dst 172.18.0.55 self permanent`,
	"static bridge rows": `
		bridge fdb del 0a:00:00:00:11:01 dev veth1 master static
		bridge fdb add 0a:00:00:00:11:02 dev veth1 master static`,

	"routes": `
		ip route del default
		ip route del 10.99.0.0/16
		ip route replace unreachable 10.97.0.0/16
		ip route del unreachable 10.98.0.0/16
		ip route del default table 1000
		ip -6 route del 2001:db8::/64
		ip route add blackhole 10.244.2.128/25`,
	"connected route gone": "ip route del default\n ip route del 172.18.0.0/16 dev eth0",
	"rules": `
		ip rule del priority 100
		ip rule del priority 101
		ip rule del priority 102
		ip rule add to 10.0.0.0/8 prohibit priority 55`,
	"bridge gone": `ip link del cni0`,
	"bridge other settings": `
		ip link set cni0 type bridge ageing_time 1000
		ip link set veth1 type bridge_slave hairpin off
		ip link set veth1 nomaster
		ip addr add 10.244.9.1/24 dev cni0`,
	"new links": `
		ip link add docker0 type bridge
		ip link add x1 type veth peer name x2
		ip link set x1 master docker0
		ip link set docker0 up
		ip addr add 172.30.24.1/24 dev docker0`,
	"qdiscs": `
		tc qdisc add dev flannel.1 clsact
		tc filter add dev flannel.1 egress prio 9 protocol ip u32 match u32 0 0
		tc qdisc del dev eth0 clsact`,
	"filter": `tc filter add dev eth0 ingress prio 9 protocol ip u32 match u32 0 0`,
	"sysctls": `
		sysctl -q -w net.ipv4.ip_forward=0
		sysctl -q -w net.ipv4.conf.all.rp_filter=1
		sysctl -q -w net.ipv6.conf.flannel/1.accept_ra=1
		sysctl -q -w net.ipv4.conf.flannel/1.forwarding=0
		sysctl -q -w net.ipv4.tcp_rmem=5000`,
	"iptables rules": `
		iptables-nft -t nat -A POSTROUTING -s 10.244.1.0/24 -j MASQUERADE
		iptables-nft -t filter -A INPUT -p udp --dport 8472 -j DROP
		iptables-legacy -P FORWARD ACCEPT
		iptables-legacy -t mangle -N MARKS`,
	"iptables flushed": `
		iptables-nft -t nat -F
		iptables-nft -t nat -X
		iptables-legacy -F`,
}

func TestRestore(t *testing.T) {
	for name, wreck := range wrecks {
		t.Run(name, func(t *testing.T) {
			node(t)
			want := throughJSON(t, record(t))
			noDifferences(t, want, record(t))
			scratchns.Script(t, wreck)
			if len(Diff(want, record(t))) == 0 {
				t.Fatal("the wreck makes no difference")
			}
			noProblems(t, Restore(context.Background(), want))
			settles(t, want)
			restoreAgain(t, want)
		})
	}
}

func TestRestoreOffloads(t *testing.T) {
	node(t)
	want := throughJSON(t, record(t))
	const segmentation = "tx-tcp-segmentation"
	if !strings.Contains(want.Offloads["eth0"], segmentation) {
		t.Fatalf("eth0 has no %s: %s", segmentation, want.Offloads["eth0"])
	}
	if err := setOffloads("eth0", "", segmentation); err != nil {
		t.Fatal(err)
	}
	got := record(t)
	diffs := Diff(want, got)
	if len(diffs) != 1 || diffs[0] != (Difference{KindOffload, "eth0", "on " + segmentation, "off " + segmentation}) {
		t.Fatalf("differences are %v, want one, that eth0's %s is off", diffs, segmentation)
	}
	noProblems(t, Restore(context.Background(), want))
	noDifferences(t, want, record(t))
	restoreAgain(t, want)
}

// TestRestoreAll undoes all the wrecks at once, those that can follow one another.
func TestRestoreAll(t *testing.T) {
	node(t)
	want := record(t)
	for _, wreck := range wrecks {
		for line := range strings.Lines(wreck) {
			if argv := strings.Fields(line); len(argv) > 0 {
				_ = exec.Command(argv[0], argv[1:]...).Run() // some find their object gone
			}
		}
	}
	noProblems(t, Restore(context.Background(), want))
	restoreAgain(t, want)
}

// TestRestoreFlannel looks at the main use with the standard tools rather than with Record.
func TestRestoreFlannel(t *testing.T) {
	node(t)
	show := func() string {
		// The kernel's own IPv6 routes come when duplicate address detection is over, which may be in the middle of this.
		return scratchns.Run(t, "ip", "-d", "link", "show", "flannel.1") + scratchns.Run(t, "ip", "-4", "addr", "show", "flannel.1") +
			scratchns.Run(t, "ip", "-4", "route", "show", "table", "all") + scratchns.Run(t, "ip", "-6", "route", "show", "proto", "boot") +
			scratchns.Run(t, "ip", "neigh") +
			scratchns.Run(t, "bridge", "fdb", "show", "dev", "flannel.1") + scratchns.Run(t, "ip", "rule")
	}
	before := show()
	want := record(t)
	scratchns.Script(t, wrecks["flannel.1 made again by flanneld with another address and number"])
	if show() == before {
		t.Fatal("the wreck makes no difference")
	}
	noProblems(t, Restore(context.Background(), want))
	if after := sortedLines(show()); after != sortedLines(before) {
		t.Errorf("before:\n%s\nafter:\n%s", sortedLines(before), after)
	}
}

// TestRestoreTakenNumber makes flannel.1 again although another link, which stays, has its number now.
func TestRestoreTakenNumber(t *testing.T) {
	node(t)
	scratchns.Script(t, `ip route add 10.94.0.0/16 nexthop via 10.244.2.0 dev flannel.1 onlink nexthop via 172.18.0.7 dev eth0`)
	want := record(t)
	flannel, _ := want.link("flannel.1")
	scratchns.Script(t, "ip link del flannel.1\n"+fmt.Sprintf("ip link add index %d name cni9 type bridge", flannel.Index))
	withCNI9 := record(t)
	withCNI9.Links = append(withCNI9.Links, flannel)
	withCNI9.Addresses, withCNI9.Routes, withCNI9.Neighbours, withCNI9.FDB = want.Addresses, want.Routes, want.Neighbours, want.FDB
	maps.Copy(withCNI9.Sysctls, want.Sysctls)
	problems := Restore(context.Background(), withCNI9)
	if len(problems) != 1 || problems[0].Kind != KindLink || problems[0].Object != "flannel.1" || !strings.HasPrefix(problems[0].Want, "index ") {
		t.Errorf("problems are %v, want one, about flannel.1's number", problems)
	}
}

// TestRestoreVeth reports a lost pair, and undoes everything else.
func TestRestoreVeth(t *testing.T) {
	node(t)
	want := record(t)
	scratchns.Script(t, "ip link del veth1\n"+wrecks["peer other address"])
	problems := Restore(context.Background(), want)
	lost := map[string]bool{}
	for _, p := range problems {
		if p.Kind == KindLink {
			lost[p.Object] = true
			if p.Cause != errNotMade.Error() {
				t.Errorf("%v has the cause %q, want %q", p, p.Cause, errNotMade)
			}
		} else if !strings.Contains(p.Object, "veth1") && !strings.Contains(p.Object, "pod1") {
			t.Errorf("not undone: %v", p)
		}
	}
	if !lost["veth1"] || !lost["pod1"] {
		t.Errorf("problems are %v, want the links veth1 and pod1 among them", problems)
	}
	again := Restore(context.Background(), want)
	if fmt.Sprint(again) != fmt.Sprint(problems) {
		t.Errorf("a second Restore reports\n%v\nthe first\n%v", again, problems)
	}
}

func TestRestoreCancelled(t *testing.T) {
	scratchns.Enter(t)
	want := record(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	problems := Restore(ctx, want)
	if len(problems) != 1 || problems[0].Kind != KindState {
		t.Errorf("problems are %v, want one, that the state could not be read", problems)
	}
}

func BenchmarkRecord(b *testing.B) {
	node(b)
	for b.Loop() {
		record(b)
	}
}

func BenchmarkRestore(b *testing.B) {
	node(b)
	want := record(b)
	for b.Loop() {
		b.StopTimer()
		scratchns.Script(b, wrecks["flannel.1 made again by flanneld with another address and number"])
		b.StartTimer()
		noProblems(b, Restore(context.Background(), want))
	}
}
