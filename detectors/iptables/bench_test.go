package iptables

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netns"
)

// bigKubeProxy writes the rules of a node of a big cluster: kube-proxy's for so many Services of two endpoints each, and
// flanneld's with --ip-masq.
func bigKubeProxy(services int) string {
	var chains, nat strings.Builder
	chain := func(name string) { fmt.Fprintf(&chains, ":%s - [0:0]\n", name) }
	rule := func(format string, args ...any) { fmt.Fprintf(&nat, "-A "+format+"\n", args...) }
	for _, name := range []string{"FLANNEL-POSTRTG", "KUBE-MARK-MASQ", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-SERVICES"} {
		chain(name)
	}
	rule(`PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES`)
	rule(`OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES`)
	rule(`POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING`)
	rule(`POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG`)
	rule(`FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN`)
	rule(`FLANNEL-POSTRTG -s 10.244.1.0/24 -d 10.240.0.0/12 -m comment --comment "flanneld masq" -j RETURN`)
	rule(`FLANNEL-POSTRTG -s 10.240.0.0/12 -d 10.244.1.0/24 -m comment --comment "flanneld masq" -j RETURN`)
	rule(`FLANNEL-POSTRTG ! -s 10.240.0.0/12 -d 10.244.1.0/24 -m comment --comment "flanneld masq" -j RETURN`)
	rule(`FLANNEL-POSTRTG -s 10.240.0.0/12 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully`)
	rule(`FLANNEL-POSTRTG ! -s 10.240.0.0/12 -d 10.240.0.0/12 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully`)
	rule(`KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000`)
	rule(`KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN`)
	rule(`KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0`)
	rule(`KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully`)
	for i := range services {
		name := fmt.Sprintf("namespace-%d/service-%d:http", i%50, i)
		ip := fmt.Sprintf("10.96.%d.%d", i/250, i%250+1)
		svc := fmt.Sprintf("KUBE-SVC-%016X", i)
		chain(svc)
		rule(`KUBE-SERVICES -d %s/32 -p tcp -m comment --comment "%s cluster IP" -m tcp --dport 80 -j %s`, ip, name, svc)
		rule(`%s ! -s 10.240.0.0/12 -d %s/32 -p tcp -m comment --comment "%s cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ`, svc, ip, name)
		for e := range 2 {
			sep := fmt.Sprintf("KUBE-SEP-%016X", 2*i+e)
			pod := fmt.Sprintf("10.24%d.%d.%d", 4+e, i/250, i%250+1)
			chain(sep)
			share := ""
			if e == 0 {
				share = " -m statistic --mode random --probability 0.50000000000"
			}
			rule(`%s -m comment --comment "%s -> %s:8080"%s -j %s`, svc, name, pod, share, sep)
			rule(`%s -s %s/32 -m comment --comment "%s" -j KUBE-MARK-MASQ`, sep, pod, name)
			rule(`%s -p tcp -m comment --comment "%s" -m tcp -j DNAT --to-destination %s:8080`, sep, name, pod)
		}
	}
	rule(`KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS`)
	return `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:FLANNEL-FWD - [0:0]
:KUBE-FORWARD - [0:0]
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-A FLANNEL-FWD -s 10.240.0.0/12 -m comment --comment "flanneld forward" -j ACCEPT
-A FLANNEL-FWD -d 10.240.0.0/12 -m comment --comment "flanneld forward" -j ACCEPT
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
` + chains.String() + nat.String() + "COMMIT\n"
}

// manyPeers asks for packets to 1,000 other nodes' pods.
func manyPeers() Query {
	q := podToPod()
	q.To[0].Addrs = nil
	for i := range 1000 {
		q.To[0].Addrs = append(q.To[0].Addrs, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(245 + i/250), byte(i % 250), 0}), 24))
	}
	return q
}

// vxlanFromPeers asks for the VXLAN packets of 1,000 other nodes.
func vxlanFromPeers() Query {
	q := toNode()
	q.From[0].Addrs, q.To = prefixes("172.16.0.0/22"), q.To[:1]
	q.Proto, q.Dport = protoUDP, 8472
	return q
}

// BenchmarkPodSNAT parses the rules of a big node and judges them for 1,000 other nodes, and compares the time with that
// which iptables-legacy-save takes to print the same rules from a network namespace, one after the other in one run. What
// Filter takes for VXLAN packets that come in is told apart.
func BenchmarkPodSNAT(b *testing.B) {
	text := bigKubeProxy(6250)
	query := manyPeers()
	_, err := exec.LookPath("iptables-legacy-save")
	compare := err == nil && os.Geteuid() == 0
	if compare {
		runtime.LockOSThread() // and never unlocked: the thread and its namespace end with the benchmark
		ns, err := netns.New()
		if err != nil {
			b.Fatal(err)
		}
		defer ns.Close()
		load := exec.Command("iptables-legacy-restore", "-w")
		load.Stdin = strings.NewReader(text)
		if out, err := load.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	var judging, filtering, saving time.Duration
	rules := 0
	for b.Loop() {
		if compare {
			var out bytes.Buffer
			out.Grow(2 * len(text))
			save := exec.Command("iptables-legacy-save")
			save.Stdout = &out
			start := time.Now()
			if err := save.Run(); err != nil {
				b.Fatal(err)
			}
			saving += time.Since(start)
			text = out.String()
		}
		start := time.Now()
		parsed, err := Parse(Legacy, text)
		if err != nil {
			b.Fatal(err)
		}
		found := Evaluate(query, parsed)
		judging += time.Since(start)
		start = time.Now()
		passed := Filter(vxlanFromPeers(), parsed)
		filtering += time.Since(start)
		if len(passed) != 1 || passed[0].Verdict != Passed || !passed[0].Traffic.All() {
			b.Fatalf("healthy rules are judged %v", passed)
		}
		rules = parsed.Len()
		if len(found) != 1 || found[0].Verdict != Kept || !found[0].Traffic.All() {
			b.Fatalf("healthy rules are judged %v", found)
		}
	}
	b.ReportMetric(0, "ns/op") // it would add both
	b.ReportMetric(judging.Seconds()*1000/float64(b.N), "ms/judged")
	b.ReportMetric(filtering.Seconds()*1000/float64(b.N), "ms/filtered")
	b.ReportMetric(float64(rules), "rules")
	b.ReportMetric(float64(len(text))/1e6, "MB")
	if saving > 0 {
		b.ReportMetric(saving.Seconds()*1000/float64(b.N), "ms/saved")
		b.ReportMetric(judging.Seconds()/saving.Seconds(), "x-saving")
	}
}
