package kstate

import (
	"slices"
	"strings"
	"testing"
)

// small is a state that the table of TestDiff changes.
func small() State {
	return State{
		Version: Version,
		Links: []Link{
			{Name: "lo", Index: 1, MTU: 65536, Flags: []string{"up"}},
			{Name: "flannel.1", Index: 4, Kind: "vxlan", MAC: "0a:00:00:00:00:01", MTU: 1450, Flags: []string{"up"}, Attributes: "id 1"},
		},
		Addresses:  []Row{{Object: "flannel.1 10.244.1.0/32", Text: "scope 0"}},
		Routes:     []Row{{Object: "inet table 254 10.244.2.0/24 metric 0", Text: "via 10.244.2.0"}},
		Neighbours: []Row{{Object: "10.244.2.0 dev flannel.1", Text: "permanent lladdr 0a:00:00:00:00:02"}},
		FDB:        []Row{{Object: "0a:00:00:00:00:02 dev flannel.1", Text: "permanent self dst 172.18.0.12"}},
		Rules:      []Row{{Object: "inet priority 0", Text: "lookup 255"}},
		IPTables:   []Table{{Program: "iptables-nft", Name: "nat", Text: "*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -j A\n-A POSTROUTING -j B\nCOMMIT\n"}},
		Sysctls: map[string]string{
			"net.ipv4.ip_forward": "1", "net.ipv4.conf.flannel/1.rp_filter": "0", "net.ipv4.conf.all.rp_filter": "0",
			"net.ipv4.tcp_congestion_control": "",
		},
	}
}

func TestDiff(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*State)
		want   []string
	}{
		"nothing": {func(*State) {}, nil},
		"another order": {func(s *State) {
			slices.Reverse(s.Links)
			s.Routes = append([]Row{{Object: "new", Text: "x"}}, s.Routes...)[1:]
		}, nil},
		"another message for the same row": {func(s *State) { s.Routes[0].Message = []byte{1} }, nil},
		"version":                          {func(s *State) { s.Version++; s.Links = nil }, []string{"version state: want 1, is 2"}},
		"link's address": {func(s *State) { s.Links[1].MAC = "0a:00:00:00:00:99" },
			[]string{"link flannel.1: want address 0a:00:00:00:00:01, is address 0a:00:00:00:00:99"}},
		"link's number, MTU and flags": {func(s *State) { s.Links[1].Index, s.Links[1].MTU, s.Links[1].Flags = 9, 1400, nil },
			[]string{"link flannel.1: want index 4 mtu 1450 flags <up>, is index 9 mtu 1400 flags <>"}},
		"link's settings, master and port": {func(s *State) {
			s.Links[1].Attributes, s.Links[1].Master, s.Links[1].Port = "id 2", "cni0", "hairpin 1"
		}, []string{"link flannel.1: want master none attributes (id 1) port (), is master cni0 attributes (id 2) port (hairpin 1)"}},
		"link lost, and its sysctls with it": {func(s *State) {
			s.Links = s.Links[:1]
			delete(s.Sysctls, "net.ipv4.conf.flannel/1.rp_filter")
		}, []string{"link flannel.1: want kind vxlan index 4 address 0a:00:00:00:00:01 mtu 1450 txqlen 0 flags <up> master none attributes (id 1), is missing"}},
		"link new, with its sysctls": {func(s *State) {
			s.Links = append(s.Links, Link{Name: "docker0", Index: 7, Kind: "bridge"})
			s.Sysctls["net.ipv4.conf.docker0.rp_filter"] = "1"
		}, []string{"link docker0: was not there before, is kind bridge index 7 address  mtu 0 txqlen 0 flags <> master none"}},
		"address gone": {func(s *State) { s.Addresses = nil }, []string{"address flannel.1 10.244.1.0/32: want scope 0, is missing"}},
		"link-local address on a link that had none": {func(s *State) {
			s.Addresses = append(s.Addresses, Row{Object: "flannel.1 fe80::1/64", Text: "scope 253"})
		}, nil},
		"route to elsewhere": {func(s *State) { s.Routes[0].Text = "via 10.244.3.0" },
			[]string{"route inet table 254 10.244.2.0/24 metric 0: want via 10.244.2.0, is via 10.244.3.0"}},
		"two routes more to one destination": {func(s *State) {
			s.Routes = append(s.Routes, Row{Object: "r", Text: "a"}, Row{Object: "r", Text: "b"})
		}, []string{"route r: was not there before, is a; b"}},
		"the same route twice": {func(s *State) { s.Routes = append(s.Routes, s.Routes[0]) },
			[]string{"route inet table 254 10.244.2.0/24 metric 0: was not there before, is via 10.244.2.0"}},
		"neighbour": {func(s *State) { s.Neighbours[0].Text = "permanent lladdr 0a:00:00:00:00:99" },
			[]string{"neighbour 10.244.2.0 dev flannel.1: want permanent lladdr 0a:00:00:00:00:02, is permanent lladdr 0a:00:00:00:00:99"}},
		"forwarding row": {func(s *State) { s.FDB = nil },
			[]string{"fdb 0a:00:00:00:00:02 dev flannel.1: want permanent self dst 172.18.0.12, is missing"}},
		"rule":   {func(s *State) { s.Rules = nil }, []string{"rule inet priority 0: want lookup 255, is missing"}},
		"qdisc":  {func(s *State) { s.Qdiscs = []Row{{Object: "dev eth0", Text: "clsact"}} }, []string{"qdisc dev eth0: was not there before, is clsact"}},
		"filter": {func(s *State) { s.Filters = []Row{{Object: "dev eth0", Text: "bpf"}} }, []string{"filter dev eth0: was not there before, is bpf"}},
		"iptables rule more": {func(s *State) {
			s.IPTables[0].Text = strings.Replace(s.IPTables[0].Text, "COMMIT", "-A POSTROUTING -j C\nCOMMIT", 1)
		}, []string{"iptables iptables-nft nat: was not there before, is -A POSTROUTING -j C"}},
		"iptables rules in another order": {func(s *State) {
			s.IPTables[0].Text = "*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -j B\n-A POSTROUTING -j A\nCOMMIT\n"
		}, []string{"iptables iptables-nft nat: want -A POSTROUTING -j A first, is the same lines in another order, -A POSTROUTING -j B first"}},
		"iptables table gone, another there": {func(s *State) { s.IPTables[0].Program = "iptables-legacy" }, []string{
			"iptables iptables-nft nat: want :POSTROUTING ACCEPT [0:0]; -A POSTROUTING -j A; -A POSTROUTING -j B, is missing",
			"iptables iptables-legacy nat: was not there before, is :POSTROUTING ACCEPT [0:0]; -A POSTROUTING -j A; -A POSTROUTING -j B"}},
		"sysctl of a module that came": {func(s *State) { s.Sysctls["net.bridge.bridge-nf-call-iptables"] = "1" }, nil},
		"sysctl of a module that went": {func(s *State) { delete(s.Sysctls, "net.ipv4.ip_forward") }, []string{
			"sysctl net.ipv4.ip_forward: want 1, is missing"}},
		"sysctls": {func(s *State) {
			s.Sysctls["net.ipv4.ip_forward"] = "0"
			s.Sysctls["net.ipv4.conf.flannel/1.rp_filter"] = "2"
			s.Sysctls["net.ipv4.tcp_congestion_control"] = "cubic"
		}, []string{
			"sysctl net.ipv4.conf.flannel/1.rp_filter: want 0, is 2",
			"sysctl net.ipv4.ip_forward: want 1, is 0",
			`sysctl net.ipv4.tcp_congestion_control: want "", is cubic`}},
	} {
		t.Run(name, func(t *testing.T) {
			got := small()
			test.change(&got)
			var lines []string
			for _, d := range Diff(small(), got) {
				lines = append(lines, d.String())
			}
			if !slices.Equal(lines, test.want) {
				t.Errorf("differences are\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// TestDiffLinkLocal tells a link-local address that is gone, or that came beside another.
func TestDiffLinkLocal(t *testing.T) {
	one := Row{Object: "flannel.1 fe80::1/64", Text: "scope 253"}
	other := Row{Object: "flannel.1 fe80::2/64", Text: "scope 253"}
	want, got := small(), small()
	want.Addresses = append(want.Addresses, one)
	if d := Diff(want, got); len(d) != 1 || d[0].Want == "" {
		t.Errorf("a link-local address that is gone: %v", d)
	}
	got.Addresses = append(got.Addresses, one, other)
	if d := Diff(want, got); len(d) != 1 || d[0].Got == "" {
		t.Errorf("a second link-local address: %v", d)
	}
}

func TestSplitTables(t *testing.T) {
	const text = `# Generated by iptables-nft-save v1.8.9 (nf_tables) on Mon Nov 23 10:27:59 2026
*mangle
:PREROUTING ACCEPT [17:4711]
:INPUT ACCEPT [0:0]
COMMIT
# Completed on Mon Nov 23 10:27:59 2026
*filter
:FORWARD DROP [3:180]
COMMIT
*raw
:OUTPUT ACCEPT [1:1]
:MINE - [0:0]
COMMIT
*nat
:POSTROUTING ACCEPT [5:300]
-A POSTROUTING -m comment --comment "# not [1:2] a comment" -j MASQUERADE
COMMIT
`
	want := []Table{
		{"p", "filter", "*filter\n:FORWARD DROP [0:0]\nCOMMIT\n"},
		{"p", "raw", "*raw\n:OUTPUT ACCEPT [0:0]\n:MINE - [0:0]\nCOMMIT\n"},
		{"p", "nat", "*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -m comment --comment \"# not [1:2] a comment\" -j MASQUERADE\nCOMMIT\n"},
	}
	got := splitTables("p", text)
	if !slices.Equal(got, want) {
		t.Errorf("tables are\n%q\nwant\n%q", got, want)
	}
	if got, want := want[1].emptied(), "*raw\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"; got != want {
		t.Errorf("emptied table is %q, want %q", got, want)
	}
}

func TestSysctlLink(t *testing.T) {
	for key, want := range map[string]string{
		"net.ipv4.conf.flannel/1.rp_filter":     "flannel.1",
		"net.ipv6.neigh.eth0.gc_stale_time":     "eth0",
		"net.ipv4.conf.all.rp_filter":           "",
		"net.ipv6.conf.default.accept_ra":       "",
		"net.ipv4.ip_forward":                   "",
		"net.netfilter.nf_conntrack_tcp_loose":  "",
		"net.ipv4.neigh.default.base_reachable": "",
	} {
		if got := sysctlLink(key); got != want {
			t.Errorf("sysctlLink(%q) = %q, want %q", key, got, want)
		}
	}
}
