package detectors

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/netfault/netfault/detectors/evidence"
)

const (
	nftRules1    = "nodes/n1/iptables-nft-save.txt"
	legacyRules1 = "nodes/n1/iptables-legacy-save.txt"
	nftChains1   = "nodes/n1/nft-chains.json"
	noRules      = "# iptables-legacy-save printed nothing: there are no tables\n"
)

// rulesOf writes a nat and a filter table with kube-proxy's rules for one Service, flanneld's (v0.28.10, with --ip-masq, the
// node's pods in 10.244.<i>.0/24), and before and after them rules of POSTROUTING or any other chain of nat ("CHAIN …").
func rulesOf(i int, before, after []string) string {
	pods := podCIDR(i)
	nat := []string{
		`PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES`,
		`KUBE-SERVICES -d 10.96.0.10/32 -p udp -m comment --comment "kube-system/kube-dns:dns cluster IP" -m udp --dport 53 -j KUBE-SVC-X`,
		`KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS`,
		`KUBE-NODEPORTS -p tcp -m comment --comment "default/web" -m tcp --dport 30080 -j KUBE-EXT-X`,
		`KUBE-EXT-X -m comment --comment "masquerade traffic for default/web external destinations" -j KUBE-MARK-MASQ`,
		`KUBE-SVC-X ! -s 10.244.0.0/16 -d 10.96.0.10/32 -p udp -m comment --comment "kube-system/kube-dns:dns cluster IP" -m udp --dport 53 -j KUBE-MARK-MASQ`,
		`KUBE-SVC-X -m comment --comment "kube-system/kube-dns:dns -> 10.244.1.3:53" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-X`,
		`KUBE-SEP-X -s 10.244.1.3/32 -m comment --comment "kube-system/kube-dns:dns" -j KUBE-MARK-MASQ`,
		`KUBE-SEP-X -p udp -m comment --comment "kube-system/kube-dns:dns" -m udp -j DNAT --to-destination 10.244.1.3:53`,
		`KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000`,
	}
	nat = append(nat, before...)
	nat = append(nat,
		`POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING`,
		`POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG`,
		`KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN`,
		`KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0`,
		`KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully`,
		`FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN`,
		`FLANNEL-POSTRTG -s `+pods+` -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j RETURN`,
		`FLANNEL-POSTRTG -s 10.244.0.0/16 -d `+pods+` -m comment --comment "flanneld masq" -j RETURN`,
		`FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d `+pods+` -m comment --comment "flanneld masq" -j RETURN`,
		`FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully`,
		`FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully`,
	)
	nat = append(nat, after...)
	filter := []string{
		`FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD`,
		`FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD`,
		`FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT`,
		`FLANNEL-FWD -d 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT`,
		`KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP`,
		`KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT`,
	}
	return saved("filter", filter) + saved("nat", nat)
}

// saved writes a table as iptables-save does.
func saved(table string, rules []string) string {
	base := []string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}
	var chains []string
	for _, r := range rules {
		words := strings.Fields(r)
		chain := words[0]
		if !slices.Contains(base, chain) && !slices.Contains(chains, chain) {
			chains = append(chains, chain)
		}
	}
	text := "*" + table + "\n"
	for _, c := range base {
		text += ":" + c + " ACCEPT [0:0]\n"
	}
	for _, c := range chains {
		text += ":" + c + " - [0:0]\n"
	}
	for _, r := range rules {
		text += "-A " + r + "\n"
	}
	return text + "COMMIT\n"
}

// healthyRules is healthy with routes of the nodes' own pods, and rules in the world of nft.
func healthyRules(n int, bridge string) *cluster {
	c := healthy(n)
	for i := 1; i <= n; i++ {
		name := fmt.Sprintf("n%d", i)
		nd := c.nodes[name]
		nd.routes = append(nd.routes,
			evidence.Route{Dst: "default", Gateway: "192.168.7.254", Dev: "eth0"},
			evidence.Route{Dst: podCIDR(i), Dev: bridge, Protocol: "kernel", Scope: "link", PrefSrc: fmt.Sprintf("10.244.%d.1", i)},
			evidence.Route{Type: "local", Dst: vtepIP(i), Dev: "flannel.1", Table: "local"},
			evidence.Route{Type: "local", Dst: fmt.Sprintf("10.244.%d.1", i), Dev: bridge, Table: "local"},
			evidence.Route{Type: "local", Dst: publicIP(i), Dev: "eth0", Table: "local"},
		)
		c.setRules(i, rulesOf(i, nil, nil), noRules)
	}
	return c
}

func (c *cluster) setRules(i int, nft, legacy string) {
	c.files[fmt.Sprintf("nodes/n%d/iptables-nft-save.txt", i)] = nft
	c.files[fmt.Sprintf("nodes/n%d/iptables-legacy-save.txt", i)] = legacy
}

// chains1 adds n1's nft-chains.json: iptables' own, a chain that is no base chain, and those given ("FAMILY TABLE NAME TYPE HOOK").
func chains1(c *cluster, chains ...string) {
	objects := []string{`{"metainfo":{"version":"1.0.6","json_schema_version":1}}`, `{"chain":{"family":"inet","table":"fw","name":"plain","handle":2}}`}
	for _, chain := range append([]string{"ip nat POSTROUTING nat postrouting", "ip filter FORWARD filter forward"}, chains...) {
		w := strings.Split(chain, " ")
		objects = append(objects, fmt.Sprintf(`{"chain":{"family":%q,"table":%q,"name":%q,"type":%q,"hook":%q,"prio":100,"policy":"accept"}}`,
			w[0], w[1], w[2], w[3], w[4]))
	}
	c.files[nftChains1] = `{"nftables":[` + strings.Join(objects, ",") + `]}`
}

// chain is a healthy n1 with chains1.
func chain(chains ...string) func(*cluster) {
	return func(c *cluster) { chains1(c, chains...) }
}

// n1 gives n1 rules before and after the others.
func n1(before, after []string) func(*cluster) {
	return func(c *cluster) { c.setRules(1, rulesOf(1, before, after), noRules) }
}

// rule is n1 with one rule that stands before all others.
func rule(r string) func(*cluster) { return n1([]string{r}, nil) }

const dockerds = "POSTROUTING -s 10.244.1.0/24 ! -o docker0 -j MASQUERADE"

func TestPodSNAT(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(c *cluster)
		want   []string
		// shown must stand somewhere in the findings.
		shown []string
	}{
		{name: "flanneld --ip-masq and kube-proxy", change: func(*cluster) {}, want: []string{"clean"}, shown: []string{"none of the 81 rules of 3 nodes"}},
		{name: "one node", change: func(c *cluster) { *c = *healthyRules(1, "docker0") }, want: []string{"clean"}},
		{name: "annotations", change: (*cluster).annotate, want: []string{"clean"}},
		{
			name: "dockerd's rule", change: rule(dockerds), want: []string{"problem dockerd n1"},
			shown: []string{
				"n1 hides its pods' addresses (10.244.1.0/24) from the pods of n2, n3: all traffic leaves with source 10.244.1.0, the address of flannel.1",
				`{"file":"` + nftRules1 + `","text":"nat POSTROUTING, line 40: -A POSTROUTING -s 10.244.1.0/24 ! -o docker0 -j MASQUERADE`,
				`{"file":"nodes/n1/ip-route.json","text":"10.244.2.0/24 via 10.244.2.0 dev flannel.1 (and 1 more)"}`,
				`{"file":"cluster/leases.json"`,
				`{"node":"n1","argv":["sed","-i","s/--ip-masq=true/--ip-masq=false/","/run/flannel/docker"]`,
				`{"node":"n1","argv":["iptables-nft","-w","-t","nat","-A","POD-SNAT-1","!","-o","flannel.1","-j","MASQUERADE"]`,
				`"alternatives":[{"name":"flanneld masquerades","remedy":[{"node":"n1","argv":["sed","-i","s/^FLANNEL_OPTIONS=\"/\u0026--ip-masq /","/etc/sysconfig/flanneld"]`,
			},
		},
		{name: "dockerd's rule after flanneld's", change: n1(nil, []string{dockerds}), want: []string{"problem dockerd n1"}},
		{
			name: "dockerd's rule on all nodes",
			change: func(c *cluster) {
				for i := 1; i <= 3; i++ {
					c.setRules(i, rulesOf(i, nil, []string{strings.Replace(dockerds, "10.244.1.", fmt.Sprintf("10.244.%d.", i), 1)}), noRules)
				}
			},
			want: []string{"problem dockerd n1", "problem dockerd n2", "problem dockerd n3"},
		},
		{
			name: "dockerd's rule in the world of legacy",
			change: func(c *cluster) {
				c.setRules(1, rulesOf(1, nil, nil), saved("nat", []string{dockerds}))
			},
			want: []string{"problem dockerd n1"}, shown: []string{legacyRules1, `"argv":["iptables-legacy","-w","-t","nat","-N","POD-SNAT-1"]`},
		},
		{
			name: "a machine with iptables-save only",
			change: func(c *cluster) {
				c.setRules(1, "", "")
				c.files["nodes/n1/iptables-save.txt"] = rulesOf(1, []string{dockerds}, nil)
			},
			want: []string{"problem dockerd n1"}, shown: []string{"nodes/n1/iptables-save.txt", `"argv":["iptables","-w","-t","nat","-N","POD-SNAT-1"]`},
		},
		{
			name: "the incident's remedy",
			change: n1(nil, []string{
				"POSTROUTING -s 10.244.1.0/24 ! -o docker0 -j my-chain1", "POSTROUTING -s 10.244.1.0/24 ! -o flannel.1 -j my-chain2",
				"my-chain1 ! -o flannel.1 -j MASQUERADE", "my-chain2 ! -o docker0 -j MASQUERADE"}),
			want: []string{"clean"},
		},
		{name: "shielded by RETURN", change: n1([]string{"POSTROUTING -s 10.244.1.0/24 -d 10.244.0.0/16 -j RETURN", dockerds}, nil), want: []string{"clean"}},
		{name: "shielded for one peer", change: n1([]string{"POSTROUTING -d 10.244.2.0/24 -j ACCEPT", dockerds}, nil), want: []string{"problem dockerd n1 n3"},
			shown: []string{"to 10.244.3.0/24 leaves with"}},
		{name: "another bridge's", change: rule("POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE"), want: []string{"clean"}},
		{name: "what leaves by another interface", change: rule("POSTROUTING -s 10.244.1.0/24 ! -o flannel.1 -j MASQUERADE"), want: []string{"clean"}},
		{name: "what the bridge does not get, by wildcard", change: rule("POSTROUTING -s 10.244.1.0/24 ! -o docker+ -j MASQUERADE"), want: []string{"problem rule n1"}},
		{name: "all but the pods", change: rule("POSTROUTING ! -s 10.244.0.0/16 -j MASQUERADE"), want: []string{"clean"}},
		{name: "all but another node's pods", change: rule("POSTROUTING ! -d 10.244.2.0/24 -j MASQUERADE"), want: []string{"problem rule n1 n3"}},
		{name: "SNAT", change: rule("POSTROUTING -o flannel.1 -j SNAT --to-source 192.168.7.1"), want: []string{"problem rule n1"},
			shown: []string{"leaves with source 192.168.7.1", `"actual":"source 192.168.7.1"`}},
		{
			name:   "one port to one peer",
			change: rule("POSTROUTING -d 10.244.3.0/24 -p tcp -m tcp --dport 80 -j MASQUERADE"), want: []string{"problem rule n1 n3"},
			shown: []string{"tcp to port 80, to 10.244.3.0/24 leaves with",
				`"argv":["iptables-nft","-w","-t","nat","-I","POSTROUTING","1","-s","10.244.1.0/24","-d","10.244.3.0/24","-o","flannel.1","-j","ACCEPT"]`},
		},
		{
			name:   "one port",
			change: rule("POSTROUTING -p tcp -m tcp --dport 80 -j MASQUERADE"), want: []string{"problem rule n1"},
			shown: []string{`"-I","POSTROUTING","1","-s","10.244.1.0/24","-d","10.244.0.0/22","-o","flannel.1","-j","ACCEPT"]`},
		},
		{name: "half of the pods", change: rule("POSTROUTING -s 10.244.1.128/25 -j MASQUERADE"), want: []string{"problem rule n1"}, shown: []string{"from 10.244.1.128/25 leaves"}},
		{name: "in a user's chain", change: n1([]string{"POSTROUTING -j mine", "mine -o flannel.1 -j MASQUERADE"}, nil), want: []string{"problem rule n1"},
			shown: []string{"nat mine, line "}},
		{
			name: "what is marked elsewhere",
			change: func(c *cluster) {
				c.setRules(1, rulesOf(1, nil, nil)+saved("mangle", []string{"FORWARD -p udp -m udp --dport 53 -j MARK --set-xmark 0x4000/0x4000"}), noRules)
			},
			want: []string{"problem rule n1"}, shown: []string{"udp to port 53 leaves", "KUBE-POSTROUTING, line "},
		},
		{
			name: "each world hides the other's",
			change: func(c *cluster) {
				c.setRules(1, rulesOf(1, []string{"POSTROUTING -o flannel.1 -j MASQUERADE"}, nil), saved("nat", []string{"POSTROUTING -o flannel.1 -j SNAT --to-source 9.9.9.9"}))
			},
			want: []string{"problem rule n1"}, shown: []string{`["iptables-nft","-w","-t","nat","-I"`, `["iptables-legacy","-w","-t","nat","-I"`},
		},

		{name: "a match that decides", change: rule("POSTROUTING -o flannel.1 -m set --match-set pods src -j MASQUERADE"), want: []string{"unknown n1"},
			shown: []string{"undecided for all traffic: not understood: -m set --match-set pods src (nft nat POSTROUTING, line "}},
		{name: "a match elsewhere", change: rule("POSTROUTING -s 172.17.0.0/16 -m set --match-set pods src -j MASQUERADE"), want: []string{"clean"}},
		{name: "a match that decides nothing", change: rule("POSTROUTING -m set --match-set pods src -j RETURN"), want: []string{"clean"}},
		{name: "part decided", change: n1([]string{"POSTROUTING -p tcp -j MASQUERADE", "POSTROUTING -m time --timestart 1 -j MASQUERADE"}, nil),
			want: []string{"problem rule n1", "unknown n1"}, shown: []string{"undecided for all but tcp"}},
		{name: "native nft rules", change: func(c *cluster) { c.setRules(1, "# Table `nat' is incompatible, use 'nft' tool.\n", noRules) },
			want: []string{"unknown n1"}, shown: []string{"native nft rules in table nat are not in the file"}},
		{name: "iptables' own chains only", change: chain(), want: []string{"clean"}},
		{name: "a table of nft's own", change: chain("ip foo mine nat postrouting"), want: []string{"unknown n1"},
			shown: []string{nftChains1, "table ip foo has the nat chain mine at postrouting, whose rules are in no file: look with nft list table ip foo"}},
		{name: "kube-proxy's and firewalld's", change: chain("ip kube-proxy nat-postrouting nat postrouting", "inet firewalld nat_POSTROUTING nat postrouting"),
			want: []string{"unknown n1"}, shown: []string{"nft list table ip kube-proxy", "nft list table inet firewalld"}},
		{name: "chains that do not rewrite sources", change: chain("ip foo a filter postrouting", "ip foo b route output", "ip foo c nat prerouting", "inet foo d nat input",
			"ip6 nat POSTROUTING nat postrouting", "ip6 foo e nat postrouting", "bridge foo f filter postrouting", "netdev foo g filter egress", "arp foo h filter output"),
			want: []string{"clean"}},
		{name: "a chain of nft's in iptables' table", change: chain("ip nat mine nat postrouting"), want: []string{"unknown n1"},
			shown: []string{"table ip nat has the nat chain mine at"}},
		{name: "iptables' name in another family", change: chain("inet nat POSTROUTING nat postrouting"), want: []string{"unknown n1"}},
		{name: "the rules of iptables-nft are not printed", change: func(c *cluster) {
			chains1(c)
			c.setRules(1, "# iptables-nft-save printed nothing: there are no tables\n", rulesOf(1, nil, nil))
		}, want: []string{"unknown n1"}, shown: []string{"nft list table ip nat"}},
		{name: "a plain iptables-save of legacy beside nft's rules", change: func(c *cluster) {
			chains1(c)
			c.setRules(1, "", "")
			c.files["nodes/n1/iptables-save.txt"] = "# Generated by iptables-save v1.4.21 on Wed Nov 25 16:06:44 2026\n" + rulesOf(1, nil, nil)
		}, want: []string{"unknown n1"}, shown: []string{"nft list table ip nat"}},
		{name: "a plain iptables-save of nft", change: func(c *cluster) {
			chains1(c)
			c.setRules(1, "", "")
			c.files["nodes/n1/iptables-save.txt"] = "# Generated by iptables-save v1.8.9 (nf_tables) on Wed Nov 25 16:06:44 2026\n" + rulesOf(1, nil, nil)
		}, want: []string{"clean"}},
		{name: "a problem beside a table of nft's own", change: func(c *cluster) { rule(dockerds)(c); chains1(c, "ip foo mine nat postrouting") },
			want: []string{"problem dockerd n1", "unknown n1"}},
		{name: "chains cut off", change: func(c *cluster) { chains1(c); c.files[nftChains1] = c.files[nftChains1][:90] }, want: []string{"unknown n1"},
			shown: []string{`{"file":"` + nftChains1 + `","text":"cut short`}},
		{name: "chains empty", change: func(c *cluster) { c.files[nftChains1] = "\n" }, want: []string{"unknown n1"}, shown: []string{nftChains1 + `","text":"the file is empty`}},
		{name: "a hostile table", change: chain("ip a;reboot\u200e mine nat postrouting"), want: []string{"unknown n1"}, shown: []string{"table ip a;reboot  has", "nft list table ip 'a;reboot '"}},
		{name: "cut off", change: func(c *cluster) { text := rulesOf(1, nil, nil); c.setRules(1, text[:len(text)/2], noRules) },
			want: []string{"unknown n1"}, shown: []string{nftRules1, "line "}},
		{name: "cut off after a problem", change: func(c *cluster) { c.setRules(1, rulesOf(1, []string{dockerds}, nil), "*nat\n") },
			want: []string{"problem dockerd n1", "unknown n1"}, shown: []string{legacyRules1, "no COMMIT"}},
		{name: "no legacy file", change: func(c *cluster) { c.setRules(1, rulesOf(1, nil, nil), "") }, want: []string{"unknown n1"}, shown: []string{legacyRules1 + `","text":"missing`}},
		{name: "no rules", change: func(c *cluster) { c.setRules(1, "", "") }, want: []string{"unknown n1"}, shown: []string{"iptables-save.txt"}},
		{name: "no routes", change: func(c *cluster) { c.files["nodes/n1/ip-route.json"] = "" }, want: []string{"unknown n1"}, shown: []string{"nodes/n1/ip-route.json"}},
		{name: "no leases", change: func(c *cluster) { c.files[evidence.LeasesFile] = "" }, want: []string{"unknown"}},
		{name: "no folder", change: func(c *cluster) {
			delete(c.nodes, "n2")
			c.setRules(2, "", "")
		}, want: []string{"unknown n2"}, shown: []string{"n2 has a lease, but no folder in the bundle"}},
		{name: "only the node's own address", change: rule("POSTROUTING -s 10.244.1.1/32 -j MASQUERADE"), want: []string{"clean"}},
		{name: "the route with the lowest metric counts", change: func(c *cluster) {
			n := c.nodes["n1"]
			n.routes = append(n.routes, evidence.Route{Dst: podCIDR(2), Dev: "eth0", Metric: 200})
			n.routes = slices.Insert(n.routes, 0, evidence.Route{Dst: podCIDR(3), Dev: "eth0", Metric: 200})
			rule("POSTROUTING -o eth0 -j MASQUERADE")(c)
		}, want: []string{"clean"}},
		{name: "a hostile interface", change: func(c *cluster) {
			c.nodes["n1"].routes = append(c.nodes["n1"].routes, evidence.Route{Dst: "10.244.2.0/26", Dev: "a; reboot\n"})
			rule(dockerds)(c)
		}, want: []string{"problem dockerd n1 n3", "unknown n1"}, shown: []string{`has the interface \"a; reboot\\n\"`}},
		{name: "a hostile chain", change: n1([]string{"POSTROUTING -j a\u200eb", "a\u200eb -o flannel.1 -j MASQUERADE"}, nil), want: []string{"problem rule n1"},
			shown: []string{"nat a b, line "}},
		{name: "a route by several ways", change: func(c *cluster) {
			c.nodes["n1"].routes = append(c.nodes["n1"].routes, evidence.Route{Dst: "10.244.2.0/26"})
		}, want: []string{"unknown n1"}, shown: []string{`n2's pods: the route 10.244.2.0/26 has the interface \"\"`}},
		{name: "the remedy was run before, and docker wrote its rule again", change: n1([]string{"POD-SNAT-1 ! -o flannel.1 -j MASQUERADE", dockerds}, nil),
			want: []string{"problem dockerd n1"}, shown: []string{`"remedy":[{"node":"n1","argv":["iptables-nft","-w","-t","nat","-I","POSTROUTING"`}},
		{name: "IPv6 routes", change: func(c *cluster) {
			n := c.nodes["n1"]
			n.routes = append(n.routes, evidence.Route{Dst: "default", Gateway: "fe80::1", Dev: "wlan0"}, evidence.Route{Dst: "fd00::/64", Dev: "docker0"})
		}, want: []string{"clean"}},
		{name: "no route to a peer", change: func(c *cluster) {
			c.nodes["n1"].routes = c.nodes["n1"].routes[1:]
			rule("POSTROUTING -d 10.244.2.0/24 -o flannel.1 -j MASQUERADE")(c)
		}, want: []string{"problem rule n1 n2"}, shown: []string{"no route to 10.244.2.0/24: judged as if it were by flannel.1"}},
		{name: "no route to a peer, and no rule", change: func(c *cluster) { c.nodes["n1"].routes = c.nodes["n1"].routes[1:] }, want: []string{"clean"}},
		{name: "no route to a peer of another backend", change: func(c *cluster) {
			c.lease("n2").BackendType = "host-gw"
			c.nodes["n1"].routes = c.nodes["n1"].routes[1:]
		}, want: []string{"unknown n1"}, shown: []string{"n2's pods: no route to 10.244.2.0/24"}},
		{name: "no pods yet", change: func(c *cluster) {
			c.nodes["n1"].routes = slices.DeleteFunc(c.nodes["n1"].routes, func(r evidence.Route) bool { return r.Dev == "docker0" && r.Table == "" })
		}, want: []string{"unknown n1"}, shown: []string{"n1's own pods: no route to 10.244.1.0/24"}},

		{
			name: "an interface for each pod",
			change: func(c *cluster) {
				n := c.nodes["n1"]
				for i := range n.routes {
					if n.routes[i].Dst == podCIDR(1) {
						n.routes[i] = evidence.Route{Type: "blackhole", Dst: podCIDR(1)}
					}
				}
				n.routes = append(n.routes, evidence.Route{Dst: "10.244.1.5", Dev: "cali1", Scope: "link"}, evidence.Route{Dst: "10.244.1.6", Dev: "cali2", Scope: "link"})
				rule("POSTROUTING -o flannel.1 -m mark --mark 0x1 -j MASQUERADE")(c)
				c.files[nftRules1] += saved("mangle", []string{"PREROUTING -i cali2 -j MARK --set-xmark 0x1/0xffffffff"})
			},
			want: []string{"problem rule n1"}, shown: []string{"from 10.244.1.6 leaves", "10.244.1.0/24 is reached by 2 interfaces"},
		},
		{
			name: "host-gw",
			change: func(c *cluster) {
				for i := range c.leases {
					c.leases[i].BackendType = "host-gw"
				}
				for _, n := range c.nodes {
					for i := range n.routes {
						if n.routes[i].Dev == "flannel.1" && n.routes[i].Table == "" {
							n.routes[i].Dev = "eth0"
						}
					}
				}
				rule(dockerds)(c)
			},
			want: []string{"problem dockerd n1"},
			// What the remedy of VXLAN spares from masquerading would here be everything that leaves the node.
			shown: []string{"the address of eth0", `"remedy":[{"node":"n1","argv":["iptables-nft","-w","-t","nat","-I","POSTROUTING","1","-s","10.244.1.0/24","-d","10.244.0.0/22","-o","eth0","-j","ACCEPT"]`},
		},
		{name: "part of a peer by another way", change: func(c *cluster) {
			c.nodes["n1"].routes = append(c.nodes["n1"].routes, evidence.Route{Dst: "10.244.2.64/26", Dev: "eth0"})
			rule("POSTROUTING -o eth0 -j MASQUERADE")(c)
		}, want: []string{"problem rule n1 n2"}, shown: []string{"to 10.244.2.64/26 leaves"}},
		{name: "the rest of a peer", change: func(c *cluster) {
			c.nodes["n1"].routes = append(c.nodes["n1"].routes, evidence.Route{Dst: "10.244.2.0/25", Dev: "eth0"})
			rule("POSTROUTING -o flannel.1 -d 10.244.2.0/24 -j MASQUERADE")(c)
		}, want: []string{"problem rule n1 n2"}, shown: []string{"to 10.244.2.128/25 leaves"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := healthyRules(3, "docker0")
			test.change(c)
			found := c.judge(t, PodSNAT)
			if got := verdicts(found); !slices.Equal(got, test.want) {
				t.Errorf("found %q, want %q", got, test.want)
			}
			all := ""
			for _, f := range found {
				all += text(f)
			}
			for _, want := range test.shown {
				if !strings.Contains(all, want) {
					t.Errorf("no %q in %s", want, all)
				}
			}
		})
	}
}

// Running a remedy's iptables commands on the rules must leave none that catches the traffic.
func TestPodSNATRemediesHeal(t *testing.T) {
	for name, change := range map[string]func(*cluster){
		"dockerd's":       rule(dockerds),
		"dockerd's, last": n1(nil, []string{dockerds}),
		"one port":        rule("POSTROUTING -p tcp -m tcp --dport 80 -j MASQUERADE"),
		"one peer":        rule("POSTROUTING -d 10.244.3.0/24 -j SNAT --to-source 1.2.3.4"),
		"both worlds": func(c *cluster) {
			c.setRules(1, rulesOf(1, []string{"POSTROUTING -o flannel.1 -j MASQUERADE"}, nil), saved("nat", []string{dockerds}))
		},
		"dockerd's in both worlds": func(c *cluster) {
			c.setRules(1, rulesOf(1, []string{dockerds}, nil), saved("nat", []string{dockerds}))
		},
		"a user's chain": n1([]string{"POSTROUTING -j mine", "mine -o flannel.1 -j MASQUERADE"}, nil),
	} {
		t.Run(name, func(t *testing.T) {
			c := healthyRules(3, "docker0")
			change(c)
			f := c.judge(t, PodSNAT)[0]
			remedies := map[string][]Command{"remedy": f.Remedy}
			for _, a := range f.Alternatives {
				remedies[a.Name] = a.Remedy
			}
			for which, commands := range remedies {
				healed := healthyRules(3, "docker0")
				change(healed)
				if len(commands) == 0 {
					t.Fatalf("%s: no commands", which)
				}
				for _, command := range commands {
					healed.runOnRules(t, command)
				}
				if got := verdicts(healed.judge(t, PodSNAT)); !slices.Equal(got, []string{"clean"}) {
					t.Errorf("%s: %q after %q", which, got, commands)
				}
			}
		})
	}
}

// runOnRules does with the text of n1's rules what a command does in the kernel.
func (c *cluster) runOnRules(t *testing.T, command Command) {
	t.Helper()
	argv := command.Argv
	if !strings.HasPrefix(argv[0], "iptables") {
		return
	}
	file := "nodes/n1/" + argv[0] + "-save.txt"
	before, nat, _ := strings.Cut(c.files[file], "*nat\n")
	lines := strings.Split(nat, "\n")
	commit := slices.Index(lines, "COMMIT")
	action, chain := argv[4], argv[5]
	rule := "-A " + chain + " " + strings.Join(argv[6:], " ")
	switch action {
	case "-N":
		lines = slices.Insert(lines, 0, ":"+chain+" - [0:0]")
	case "-A":
		lines = slices.Insert(lines, commit, rule)
	case "-I":
		rule = "-A " + chain + " " + strings.Join(argv[7:], " ")
		first := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "-A") })
		lines = slices.Insert(lines, first, rule)
	case "-D":
		i := slices.Index(lines, rule)
		if i < 0 {
			t.Fatalf("%q deletes what is not there", command)
		}
		lines = slices.Delete(lines, i, i+1)
	default:
		t.Fatalf("%q is not understood", command)
	}
	c.files[file] = before + "*nat\n" + strings.Join(lines, "\n")
}
