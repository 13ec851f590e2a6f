package rekey_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/rekey"
)

// cluster is a bundle of routes, neighbours and nodes.
func cluster(t *testing.T, networks []string, addrs []netip.Addr, macs []string, nodes ...string) fstest.MapFS {
	t.Helper()
	var routes []evidence.Route
	for _, n := range networks {
		routes = append(routes, evidence.Route{Dst: n, Dev: "eth0", Flags: []string{}})
	}
	var neighbours []evidence.Neighbour
	for i, a := range addrs {
		n := evidence.Neighbour{Dst: a.String(), Dev: "eth0", State: []string{"STALE"}}
		if i < len(macs) {
			n.LLAddr = macs[i]
		}
		neighbours = append(neighbours, n)
	}
	out := fstest.MapFS{}
	for _, node := range nodes {
		out[evidence.NodeFile(node, evidence.UnameFile)] = &fstest.MapFile{Data: []byte("6.1.0\n")}
	}
	for file, v := range map[string]any{evidence.RouteFile: routes, evidence.NeighFile: neighbours} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out[evidence.NodeFile("n1", file)] = &fstest.MapFile{Data: text}
	}
	return out
}

func common(a, b netip.Addr) int {
	for bits := a.BitLen(); ; bits-- {
		if p, _ := a.Prefix(bits); p.Contains(b) {
			return bits
		}
	}
}

// randomAddrs are addresses as clusters have them: many in few networks, some anywhere.
func randomAddrs(r *rand.Rand) (networks []string, addrs []netip.Addr) {
	pods := netip.AddrFrom4([4]byte{10, byte(r.Uint32()), 0, 0})
	networks = append(networks, netip.PrefixFrom(pods, 16).String())
	length := 20 + r.IntN(6)
	for range 8 {
		b := pods.As4()
		b[2], b[3] = byte(r.Uint32()), byte(r.Uint32())
		p, _ := netip.AddrFrom4(b).Prefix(length)
		networks = append(networks, p.String())
		addrs = append(addrs, p.Addr(), p.Addr().Next())
	}
	nodes := netip.AddrFrom4([4]byte{172, 16 + byte(r.IntN(16)), byte(r.Uint32()) &^ 0xf, 0})
	networks = append(networks, netip.PrefixFrom(nodes, 20).String())
	for range 8 {
		b := nodes.As4()
		b[2], b[3] = b[2]|byte(r.IntN(16)), byte(r.Uint32())
		addrs = append(addrs, netip.AddrFrom4(b))
	}
	for range 30 {
		addrs = append(addrs, netip.AddrFrom4([4]byte{byte(r.IntN(224)), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())}))
	}
	for range 6 {
		addrs = append(addrs, netip.AddrFrom16([16]byte{0xfd, 0, 0, 0x10, 2, 0x44, 0, byte(r.IntN(4)), 15: byte(r.Uint32())}),
			netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(r.IntN(4)), 7: 1, 8: byte(r.Uint32()), 15: byte(r.Uint32())}))
	}
	networks = append(networks, "fd00:10:244::/56", "2001:db8::/32")
	slices.SortFunc(addrs, netip.Addr.Compare)
	return networks, slices.Compact(addrs)
}

// Two addresses have as many first bits in common as before; they keep their order; the first and last of a network stay
// that; private addresses stay private; the last eight bits stay.
func TestAddresses(t *testing.T) {
	for seed := range uint64(20) {
		networks, addrs := randomAddrs(rand.New(rand.NewPCG(seed, 1)))
		_, names, left := rekeyed(t, cluster(t, networks, addrs, nil, "n1"), rekey.Key{byte(seed), 3})
		if len(left) > 0 {
			t.Fatal(left)
		}
		to := func(a netip.Addr) netip.Addr { return netip.MustParseAddr(names.Text(a.String())) }
		for i, a := range addrs {
			x := to(a)
			if a.IsPrivate() != x.IsPrivate() || a.IsLoopback() != x.IsLoopback() || x.IsMulticast() || a.IsLinkLocalUnicast() != x.IsLinkLocalUnicast() {
				t.Errorf("seed %d: %s became %s", seed, a, x)
			}
			if a.AsSlice()[a.BitLen()/8-1] != x.AsSlice()[a.BitLen()/8-1] {
				t.Errorf("seed %d: %s became %s", seed, a, x)
			}
			if !a.IsLoopback() && !a.IsLinkLocalUnicast() && a.As16()[12] != 0 && x == a {
				t.Errorf("seed %d: %s stayed", seed, a)
			}
			for _, b := range addrs[:i] {
				y := to(b)
				if a.BitLen() != b.BitLen() {
					continue
				}
				if common(a, b) != common(x, y) {
					t.Errorf("seed %d: %s and %s have %d bits in common, %s and %s have %d", seed, a, b, common(a, b), x, y, common(x, y))
				}
				if a.Compare(b) != x.Compare(y) {
					t.Errorf("seed %d: %s and %s became %s and %s, in another order", seed, a, b, x, y)
				}
			}
		}
		for _, s := range networks {
			old, now := netip.MustParsePrefix(s), netip.MustParsePrefix(names.Text(s))
			if now != now.Masked() || now.Bits() != old.Bits() || to(old.Addr()) != now.Addr() {
				t.Errorf("seed %d: network %s became %s, its first address %s", seed, old, now, to(old.Addr()))
			}
			if old.Addr().Is4() && to(lastOf(old)) != lastOf(now) {
				t.Errorf("seed %d: network %s became %s, its last address %s", seed, old, now, to(lastOf(old)))
			}
			for _, a := range addrs {
				if old.Contains(a) != now.Contains(to(a)) {
					t.Errorf("seed %d: %s in %s became %s in %s", seed, a, old, to(a), now)
				}
			}
		}
	}
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for bits := p.Bits(); bits < 32; bits++ {
		b[bits/8] |= 0x80 >> (bits % 8)
	}
	return netip.AddrFrom4(b)
}

// Where every network of a range is in use, order gives way: the addresses must not stay.
func TestFullRange(t *testing.T) {
	var addrs []netip.Addr
	for i := range 256 {
		addrs = append(addrs, netip.AddrFrom4([4]byte{192, 168, byte(i), 1}))
	}
	_, names, _ := rekeyed(t, cluster(t, nil, addrs, nil, "n1"), rekey.Key{1})
	seen := map[string]bool{}
	for _, a := range addrs {
		to := names.Text(a.String())
		if to == a.String() || seen[to] || !strings.HasPrefix(to, "192.168.") {
			t.Errorf("%s became %s", a, to)
		}
		seen[to] = true
	}
}

func TestSpecialAddresses(t *testing.T) {
	_, names, _ := rekeyed(t, cluster(t, []string{"10.0.0.0/8"}, []netip.Addr{netip.MustParseAddr("10.1.2.3")}, nil, "n1"), rekey.Key{1})
	for _, same := range []string{
		"0.0.0.0/0", "127.0.0.1", "127.0.0.0/8", "169.254.169.254", "224.0.0.0/4", "255.255.255.255", "255.255.240.0", "::", "::1", "::/0",
		"ff02::1", "ff00::/8", "fe80::/64", "fe80::/10", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff",
		"01:00:5e:00:00:01", "33:33:00:00:00:01", "6.1.0-18", "12:30:45", "1.2.3", "1.2.3.4.5", "300.1.1.1", "fd00", "de:ad",
	} {
		if got := names.Text(same); got != same {
			t.Errorf("%s became %s", same, got)
		}
	}
}

// Link addresses keep their local and group bits, and what is made of them follows.
func TestLinkAddresses(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var macs []string
	addrs := []netip.Addr{netip.MustParseAddr("fe80::5c0a:8bff:fe1c:2d3e"), netip.MustParseAddr("2001:db8::5c0a:8bff:fe1c:2d3e")}
	macs = append(macs, "5e:0a:8b:1c:2d:3e")
	for i := range 200 {
		macs = append(macs, net.HardwareAddr{byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), 1, 2, byte(i)}.String())
		addrs = append(addrs, netip.AddrFrom4([4]byte{10, 1, 1, byte(i)}))
	}
	addrs = append(addrs[:1], append([]netip.Addr{netip.MustParseAddr("10.1.1.250")}, addrs[1:]...)...)
	_, names, _ := rekeyed(t, cluster(t, nil, addrs, macs, "n1"), rekey.Key{1})
	seen := map[string]bool{}
	for _, m := range macs {
		to := names.Text(m)
		old, _ := net.ParseMAC(m)
		now, err := net.ParseMAC(to)
		if err != nil || old[0]&3 != now[0]&3 || m == to || seen[to] {
			t.Errorf("%s became %s", m, to)
		}
		seen[to] = true
		if got := names.Text(strings.ToUpper(m)); !strings.EqualFold(got, to) || strings.ContainsAny(m, "abcdef") && got != strings.ToUpper(to) {
			t.Errorf("%s became %s in capitals", m, got)
		}
	}
	m, _ := net.ParseMAC(names.Text(macs[0]))
	iid := fmt.Sprintf("%x:%xff:fe%02x:%x", uint16(m[0]^2)<<8|uint16(m[1]), m[2], m[3], uint16(m[4])<<8|uint16(m[5]))
	for old, want := range map[string]string{
		"fe80::5c0a:8bff:fe1c:2d3e":    netip.MustParseAddr("fe80::" + iid).String(),
		"33:33:ff:1c:2d:3e":            fmt.Sprintf("33:33:ff:%02x:%02x:%02x", m[3], m[4], m[5]),
		"ff02::1:ff1c:2d3e":            fmt.Sprintf("ff02::1:ff%02x:%x", m[3], uint16(m[4])<<8|uint16(m[5])),
		"enx5e0a8b1c2d3e":              "enx" + strings.ReplaceAll(m.String(), ":", ""),
		"fe80::5c0a:8bff:fe1c:2d3e%n1": netip.MustParseAddr("fe80::"+iid).String() + "%node-1",
	} {
		if got := names.Text(old); got != want {
			t.Errorf("%s became %s, want %s", old, got, want)
		}
	}
}

// Nodes are numbered in the order of their names, by names that no node had.
func TestNodes(t *testing.T) {
	for _, c := range []struct{ old, now []string }{
		{[]string{"a", "b.example", "b-1", "n1"}, []string{"node-1", "node-3", "node-2", "node-4"}},
		{[]string{"node-1", "node-2", "n1"}, []string{"machine-2", "machine-3", "machine-1"}},
		{[]string{"node", "n1"}, []string{"machine-2", "machine-1"}},
		{[]string{"1", "2", "n1"}, []string{"node1", "node2", "node3"}},
	} {
		out, names, _ := rekeyed(t, cluster(t, nil, nil, nil, c.old...), rekey.Key{1})
		for i, old := range c.old {
			if got := names.Node(old); got != c.now[i] {
				t.Errorf("of %v, %s became %s, want %s", c.old, old, got, c.now[i])
			}
			if out[evidence.NodeFile(c.now[i], evidence.UnameFile)] == nil {
				t.Errorf("of %v, there is no folder of %s", c.old, c.now[i])
			}
		}
	}
	_, names, _ := rekeyed(t, cluster(t, nil, nil, nil, "10.1.2.3", "n1"), rekey.Key{1})
	if got := names.Node("10.1.2.3"); got == "10.1.2.3" || got != names.Text("10.1.2.3") {
		t.Errorf("a node that is named by its address became %s, its address %s", got, names.Text("10.1.2.3"))
	}
}

func textNames(t testing.TB) *rekey.Names {
	tt := &testing.T{}
	if real, ok := t.(*testing.T); ok {
		tt = real
	}
	in := cluster(tt, []string{"10.244.0.0/16", "10.244.1.0/24"}, []netip.Addr{netip.MustParseAddr("10.244.1.2"), netip.MustParseAddr("fd00::1:2")},
		[]string{"5e:0a:8b:1c:2d:3e"}, "n1", "n1-b", "db.example")
	in["cluster/probes.json"] = &fstest.MapFile{Data: []byte(`[{"kind":"pod","from":"n1","to":"n1-b","answeredBy":"pod-n1","ok":true},
		{"kind":"pod","from":"n1","to":"n1","answeredBy":"billing-7f","ok":true}]`)}
	names, _, err := rekey.Bundle(t.Context(), in, rekey.Key{9}, func(string, []byte) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// Text replaces whole names and addresses, wherever they stand, and nothing else.
func TestText(t *testing.T) {
	names := textNames(t)
	a, net24, mac, six := names.Text("10.244.1.2"), names.Text("10.244.1.0/24"), names.Text("5e:0a:8b:1c:2d:3e"), names.Text("fd00::1:2")
	n1, n1b, db, pod := names.Node("n1"), names.Node("n1-b"), names.Node("db.example"), names.Text("billing-7f")
	if a == "10.244.1.2" || mac == "5e:0a:8b:1c:2d:3e" || six == "fd00::1:2" || n1 == "n1" || pod == "billing-7f" || n1 >= n1b {
		t.Fatal(a, mac, six, n1, n1b, pod)
	}
	for old, want := range map[string]string{
		"":                                     "",
		"n1":                                   n1,
		"n1, n1-b and db.example.":             n1 + ", " + n1b + " and " + db + ".",
		"n1: x; (n1) n1's \"n1\" n1/n1":        n1 + ": x; (" + n1 + ") " + n1 + "'s \"" + n1 + "\" " + n1 + "/" + n1,
		"n10 an1 n1x xn1 én1é":                 "n10 an1 n1x xn1 é" + n1 + "é",
		"pod-n1 veth-n1.5 n1-bridge":           "pod-" + n1 + " veth-" + n1 + ".5 " + n1 + "-bridge",
		"nodes/n1/ip-neigh.json":               "nodes/" + n1 + "/ip-neigh.json",
		"spec.nodeName=n1":                     "spec.nodeName=" + n1,
		"billing-7f, xbilling-7f":              pod + ", xbilling-7f",
		"10.244.1.2.":                          a + ".",
		"10.244.1.2:80 to [fd00::1:2]:8":       a + ":80 to [" + six + "]:8",
		"10.244.1.2-10.244.1.3:5-7":            a + "-" + names.Text("10.244.1.3") + ":5-7",
		"to:10.244.1.2:80,src=10.244.1.2":      "to:" + a + ":80,src=" + a,
		"10.244.1.0/24, 10.244.1.2/32.":        net24 + ", " + a + "/32.",
		"10.244.1.0/255.255.255.0 x":           strings.TrimSuffix(net24, "/24") + "/255.255.255.0 x",
		"10.244.1.2/24":                        a + "/24",
		"10.244.1.0-24":                        strings.TrimSuffix(net24, "/24") + "-24",
		"x10.244.1.2 10.244.1.2x 1.10.244.1.2": "x10.244.1.2 10.244.1.2x 1.10.244.1.2",
		"lladdr 5e:0a:8b:1c:2d:3e: is":         "lladdr " + mac + ": is",
		"fd00::1:2/64 fd00::/8":                six + "/64 fd00::/8",
		"::ffff:10.244.1.2":                    "::ffff:" + a,
	} {
		if got := names.Text(old); got != want {
			t.Errorf("%q became\n%q, want\n%q", old, got, want)
		}
	}
	long := strings.Repeat("n1-", 2000) + strings.Repeat("1.", 2000) + strings.Repeat(":", 2000)
	if got := names.Text(long); !strings.HasPrefix(got, n1+"-"+n1+"-") {
		t.Errorf("a long run became %.40q…", got)
	}
}

// Text of any kind is re-keyed without harm, and has none of the bundle's addresses in it as whole words.
func FuzzText(f *testing.F) {
	names := textNames(f)
	for _, s := range []string{"n1", "10.244.1.2/24:80", `--comment "default/n1 \"x`, "fd00::1:2%n1", "5E:0A:8B:1C:2D:3E", "n1-.-n1", "--log-prefix ", "::/", "1.2.3.4/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := names.Text(s)
		if again := names.Text(s); again != got {
			t.Errorf("%q became %q, and then %q", s, got, again)
		}
		for _, w := range strings.Fields(got) {
			if w == "10.244.1.2" || w == "n1" || w == "5e:0a:8b:1c:2d:3e" || w == "fd00::1:2" {
				t.Errorf("%q became %q", s, got)
			}
		}
		if strings.Count(got, "\n") != strings.Count(s, "\n") {
			t.Errorf("%q became %q, with other lines", s, got)
		}
	})
}
