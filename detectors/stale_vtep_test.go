package detectors

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/netfault/netfault/detectors/evidence"
)

// The clusters have three nodes; n1 is the one whose VTEP is spoken of, unless a test says otherwise.
func TestStaleVTEP(t *testing.T) {
	const fileLink1, fileNeigh2, fileFDB2 = "nodes/n1/ip-link.json", "nodes/n2/ip-neigh.json", "nodes/n2/bridge-fdb.json"
	for _, test := range []struct {
		name   string
		change func(c *cluster)
		want   []string
		// shown must stand somewhere in the findings.
		shown []string
	}{
		{name: "healthy", change: func(c *cluster) {}, want: []string{"clean"}, shown: []string{"all 6 ordered pairs of 3 nodes"}},
		{name: "healthy with annotations", change: (*cluster).annotate, want: []string{"clean"}},
		{name: "one node", change: func(c *cluster) { *c = *healthy(1) }, want: []string{"clean"}},
		{name: "upper case", change: func(c *cluster) {
			c.leases[0].VtepMAC = strings.ToUpper(mac(0xab))
			c.nodes["n1"].flannel().Address = mac(0xab)
			for _, n := range []string{"n2", "n3"} {
				c.nodes[n].forward(1).MAC = strings.ToUpper(mac(0xab))
				c.nodes[n].neighbour(1).LLAddr = strings.ToUpper(mac(0xab))
			}
		}, want: []string{"clean"}},

		{
			name: "observer stale",
			change: func(c *cluster) {
				c.nodes["n1"].flannel().Address, c.lease("n1").VtepMAC = other, other
				c.nodes["n3"].neighbour(1).LLAddr, c.nodes["n3"].forward(1).MAC = other, other
			},
			want: []string{"problem observer-stale n2 n1"},
			shown: []string{
				"n2 sends packets for n1's pods (10.244.1.0/24) to " + mac(1) + ", but n1's flannel.1 is " + other + ": n1 drops them",
				`"expected":"` + other + `","actual":"` + mac(1) + `"`,
				`{"file":"` + fileNeigh2 + `","text":"10.244.1.0 dev flannel.1 lladdr ` + mac(1) + ` PERMANENT"}`,
				`{"file":"cluster/leases.json"`, `{"file":"` + fileLink1 + `"`,
				`{"node":"n2","argv":["ip","neigh","replace","10.244.1.0","lladdr","` + other + `","dev","flannel.1","nud","permanent"]`,
				`{"node":"n2","argv":["bridge","fdb","replace","` + other + `","dev","flannel.1","dst","192.168.7.1","self","permanent"]`,
			},
		},
		{
			name: "observer stale, annotations",
			change: func(c *cluster) {
				c.nodes["n2"].neighbour(1).LLAddr = other
				c.annotate()
			},
			want:  []string{"problem observer-stale n2 n1"},
			shown: []string{`{"file":"cluster/nodes.json"`},
		},
		{
			name: "observer stale, frames for another address",
			change: func(c *cluster) {
				c.nodes["n2"].neighbour(1).LLAddr = other
				c.nodes["n1"].flannel().Stats.RX.OtherHost = 12
			},
			want:  []string{"problem observer-stale n2 n1"},
			shown: []string{`{"file":"` + fileLink1 + `","text":"flannel.1 rx.otherhost 12`},
		},
		{
			name: "observer stale, ever more frames for another address",
			change: func(c *cluster) {
				c.nodes["n2"].neighbour(1).LLAddr = other
				later := *c.nodes["n1"].flannel()
				later.Stats = &evidence.Stats64{RX: evidence.RXStats{OtherHost: 5}}
				c.nodes["n1"].later = []evidence.Link{later}
			},
			want:  []string{"problem observer-stale n2 n1"},
			shown: []string{`{"file":"nodes/n1/ip-link-later.json","text":"flannel.1 rx.otherhost grew from 0 to 5`},
		},
		{
			name:   "frames for another address alone",
			change: func(c *cluster) { c.nodes["n1"].flannel().Stats.RX.OtherHost = 12 },
			want:   []string{"clean"},
		},

		{
			name:   "lease stale",
			change: func(c *cluster) { c.nodes["n1"].flannel().Address = other },
			want:   []string{"problem lease-stale n1"},
			shown: []string{
				"n1's lease announces " + mac(1) + ", but its flannel.1 is " + other,
				`"expected":"` + other + `","actual":"` + mac(1) + `"`,
				"2 of 2 observers follow the lease",
				`"remedy":[{"node":"n1","argv":["systemctl","restart","flanneld"]`,
			},
		},
		{
			name: "lease stale, annotations",
			change: func(c *cluster) {
				c.nodes["n1"].flannel().Address = other
				c.annotate()
			},
			want:  []string{"problem lease-stale n1"},
			shown: []string{`"remedy":[{"node":"","argv":["kubectl","-n","kube-flannel","delete","pod","-l","app=flannel","--field-selector","spec.nodeName=n1"]`},
		},
		{
			name: "lease stale after the link was made anew: its own entries went with it",
			change: func(c *cluster) {
				n := c.nodes["n1"]
				n.flannel().Address = other
				forget(&n.neighbours, n.neighbour(2))
				forget(&n.neighbours, n.neighbour(3))
				n.fdb, n.routes = n.fdb[:1], nil
			},
			want:  []string{"problem lease-stale n1"},
			shown: []string{"n1's own entries for 2 other nodes are wrong or missing"},
		},
		{
			name: "lease stale after the link was made anew, routes unreadable",
			change: func(c *cluster) {
				n := c.nodes["n1"]
				n.flannel().Address = other
				forget(&n.neighbours, n.neighbour(2))
				c.files["nodes/n1/ip-route.json"] = ""
			},
			want:  []string{"problem lease-stale n1"},
			shown: []string{"n1's own entries for 1 other nodes are wrong or missing"},
		},
		{
			name: "lease stale, and observers of every kind",
			change: func(c *cluster) {
				*c = *healthy(5)
				c.nodes["n1"].flannel().Address = other
				c.nodes["n2"].neighbour(1).LLAddr = other
				c.nodes["n3"].neighbour(1).LLAddr = mac(0x33)
				forget(&c.nodes["n4"].neighbours, c.nodes["n4"].neighbour(1))
			},
			want: []string{"problem lease-stale n1"},
			shown: []string{
				"1 of 4 observers follow the lease", `{"file":"nodes/n5/ip-neigh.json"`,
				"1 observers with the link's address, 1 with another, 1 with none",
			},
		},

		{
			name:   "FDB missing",
			change: func(c *cluster) { forget(&c.nodes["n2"].fdb, c.nodes["n2"].forward(1)) },
			want:   []string{"problem fdb-missing n2 n1"},
			shown: []string{
				`{"file":"` + fileFDB2 + `","text":"no entry for ` + mac(1),
				`"remedy":[{"node":"n2","argv":["bridge","fdb","replace","` + mac(1) + `"`,
			},
		},
		{
			name: "entries missing on the last of many nodes",
			change: func(c *cluster) {
				*c = *healthy(9)
				n := c.nodes["n9"]
				forget(&n.fdb, n.forward(1))
				forget(&n.neighbours, n.neighbour(2))
			},
			want: []string{"problem fdb-missing n9 n1", "problem neighbour-missing n9 n2"},
		},
		{
			name:   "FDB row on another device",
			change: func(c *cluster) { c.nodes["n2"].forward(1).Dev = "vxlan7" },
			want:   []string{"problem fdb-missing n2 n1"},
		},
		{
			name:   "FDB elsewhere",
			change: func(c *cluster) { c.nodes["n2"].forward(1).Dst = publicIP(3) },
			want:   []string{"problem fdb-elsewhere n2 n1"},
			shown: []string{
				"to 192.168.7.3 instead of 192.168.7.1",
				`"remedy":[{"node":"n2","argv":["bridge","fdb","replace","` + mac(1) + `","dev","flannel.1","dst","192.168.7.1"`,
			},
		},
		{
			name: "FDB here and elsewhere",
			change: func(c *cluster) {
				elsewhere := *c.nodes["n2"].forward(1)
				elsewhere.Dst = publicIP(3)
				c.nodes["n2"].fdb = slices.Insert(c.nodes["n2"].fdb, 0, elsewhere)
			},
			want: []string{"clean"},
		},
		{
			name: "neighbour and FDB wrong",
			change: func(c *cluster) {
				c.nodes["n2"].neighbour(1).LLAddr = other
				forget(&c.nodes["n2"].fdb, c.nodes["n2"].forward(1))
			},
			want: []string{"problem observer-stale n2 n1"},
		},

		{
			name:   "neighbour missing",
			change: func(c *cluster) { forget(&c.nodes["n2"].neighbours, c.nodes["n2"].neighbour(1)) },
			want:   []string{"problem neighbour-missing n2 n1"},
			shown:  []string{`"actual":"no entry"`, `"argv":["ip","neigh","replace"`, `"argv":["bridge","fdb","replace"`},
		},
		{
			name: "neighbour incomplete",
			change: func(c *cluster) {
				n := c.nodes["n2"].neighbour(1)
				n.LLAddr, n.State = "", []string{"INCOMPLETE"}
			},
			want:  []string{"problem neighbour-missing n2 n1"},
			shown: []string{`"actual":"INCOMPLETE"`},
		},
		{
			name: "neighbour failed",
			change: func(c *cluster) {
				n := c.nodes["n2"].neighbour(1)
				n.LLAddr, n.State = "", []string{"FAILED"}
			},
			want:  []string{"problem neighbour-missing n2 n1"},
			shown: []string{`"actual":"FAILED"`},
		},
		{
			name:   "neighbour failed, its address not forgotten",
			change: func(c *cluster) { c.nodes["n2"].neighbour(1).State = []string{"FAILED"} },
			want:   []string{"problem neighbour-missing n2 n1"},
			shown:  []string{`"actual":"FAILED"`},
		},
		{
			name:   "neighbour on another device",
			change: func(c *cluster) { c.nodes["n2"].neighbour(1).Dev = "vxlan7" },
			want:   []string{"problem neighbour-missing n2 n1"},
		},
		{
			name: "neighbours of an old flannel, resolved by misses",
			change: func(c *cluster) {
				c.nodes["n2"].neighbour(1).State = []string{"REACHABLE"}
				c.nodes["n3"].neighbour(1).State = []string{"STALE"}
			},
			want: []string{"clean"},
		},

		{
			name: "VTEP missing: its entries went with it",
			change: func(c *cluster) {
				n := c.nodes["n1"]
				n.links, n.neighbours, n.fdb, n.routes = n.links[:1], n.neighbours[:2], n.fdb[:1], nil
			},
			want:  []string{"problem vtep-missing n1"},
			shown: []string{"n1 has no flannel.1", `{"file":"` + fileLink1 + `","text":"no link flannel.1"}`, `"argv":["systemctl","restart","flanneld"]`},
		},
		{
			name: "VTEP down: its neighbours and routes went with it",
			change: func(c *cluster) {
				n := c.nodes["n1"]
				n.flannel().Flags = []string{"BROADCAST", "MULTICAST"}
				n.neighbours, n.routes = n.neighbours[:2], nil
			},
			want:  []string{"problem vtep-down n1"},
			shown: []string{`"actual":"flannel.1 \u003cBROADCAST,MULTICAST\u003e"`},
		},
		{
			name: "VTEP down with another address",
			change: func(c *cluster) {
				c.nodes["n1"].flannel().Flags, c.nodes["n1"].flannel().Address = nil, other
			},
			want:  []string{"problem vtep-down n1"},
			shown: []string{"nor does its address " + other + " agree with its lease"},
		},
		{
			name: "VTEP missing, and an observer that does not follow the lease",
			change: func(c *cluster) {
				c.nodes["n1"].links = c.nodes["n1"].links[:1]
				c.nodes["n2"].neighbour(1).LLAddr = other
			},
			want:  []string{"problem vtep-missing n1", "problem observer-stale n2 n1"},
			shown: []string{"but n1's lease announces " + mac(1)},
		},

		{
			name: "DirectRouting: the route needs no entries",
			change: func(c *cluster) {
				n := c.nodes["n2"]
				forget(&n.neighbours, n.neighbour(1))
				n.routes[0].Gateway, n.routes[0].Dev = publicIP(1), "eth0"
				forget(&n.fdb, n.forward(3))
				n.routes[1].Gateway, n.routes[1].Dev = publicIP(3), "eth0"
			},
			want: []string{"clean"},
		},
		{
			name: "DirectRouting: an old entry is in no one's way",
			change: func(c *cluster) {
				c.nodes["n2"].neighbour(1).LLAddr = other
				c.nodes["n2"].routes[0].Gateway, c.nodes["n2"].routes[0].Dev = publicIP(1), "eth0"
			},
			want: []string{"clean"},
		},
		{
			name: "DirectRouting to one peer does not excuse another",
			change: func(c *cluster) {
				n := c.nodes["n2"]
				forget(&n.neighbours, n.neighbour(3))
				n.routes[0].Gateway, n.routes[0].Dev = publicIP(1), "eth0"
			},
			want: []string{"problem neighbour-missing n2 n3"},
		},
		{
			name: "a route in another table, of another type or to no device is no DirectRouting",
			change: func(c *cluster) {
				n := c.nodes["n2"]
				forget(&n.neighbours, n.neighbour(1))
				n.routes = []evidence.Route{
					{Dst: podCIDR(1), Dev: "eth0", Table: "17"}, {Dst: podCIDR(1), Dev: "lo", Type: "unreachable"}, {Dst: podCIDR(1)},
					{Dst: "10.244.0.0/16", Dev: "eth0"},
				}
			},
			want: []string{"problem neighbour-missing n2 n1"},
		},
		{
			name: "a second route beside flannel's is no DirectRouting",
			change: func(c *cluster) {
				n := c.nodes["n2"]
				forget(&n.neighbours, n.neighbour(1))
				n.routes = append(n.routes, evidence.Route{Dst: podCIDR(1), Dev: "eth0", Metric: 100})
			},
			want: []string{"problem neighbour-missing n2 n1"},
		},
		{
			name: "entry missing and routes unreadable",
			change: func(c *cluster) {
				forget(&c.nodes["n2"].neighbours, c.nodes["n2"].neighbour(1))
				c.files["nodes/n2/ip-route.json"] = ""
			},
			want:  []string{"unknown n2"},
			shown: []string{`{"file":"nodes/n2/ip-route.json","text":"missing"}`},
		},
		{
			name: "entry wrong and routes unreadable",
			change: func(c *cluster) {
				c.nodes["n2"].neighbour(1).LLAddr = other
				c.files["nodes/n2/ip-route.json"] = ""
			},
			want: []string{"problem observer-stale n2 n1"},
		},
		{
			name:   "routes unreadable where none is needed",
			change: func(c *cluster) { c.files["nodes/n2/ip-route.json"] = "[" },
			want:   []string{"clean"},
		},

		{
			name: "two nodes with one MAC, the FDB leads to one of them",
			change: func(c *cluster) {
				c.leases[1].VtepMAC, c.nodes["n2"].flannel().Address = mac(1), mac(1)
				c.nodes["n3"].neighbour(2).LLAddr = mac(1)
				forget(&c.nodes["n3"].fdb, c.nodes["n3"].forward(1))
				c.nodes["n3"].forward(2).MAC = mac(1)
				c.nodes["n1"].neighbour(2).LLAddr = mac(1)
				c.nodes["n1"].forward(2).MAC = mac(1)
			},
			want: []string{"clean"},
		},
		{
			name: "two nodes with one public IP",
			change: func(c *cluster) {
				c.leases[1].PublicIP = publicIP(1)
				c.nodes["n1"].forward(2).Dst, c.nodes["n3"].forward(2).Dst = publicIP(1), publicIP(1)
			},
			want: []string{"clean"},
		},
		{
			name: "two nodes with one pod CIDR, the entries lead to one of them",
			change: func(c *cluster) {
				c.leases[1].PodCIDR = podCIDR(1)
				c.nodes["n3"].neighbours = slices.DeleteFunc(c.nodes["n3"].neighbours, func(n evidence.Neighbour) bool { return n.Dst == vtepIP(2) })
			},
			want: []string{"clean"},
		},
		{
			name: "two nodes with one pod CIDR, the entries lead to neither",
			change: func(c *cluster) {
				c.leases[1].PodCIDR = podCIDR(1)
				c.nodes["n3"].neighbour(1).LLAddr = other
			},
			want: []string{"problem observer-stale n3 n1", "problem observer-stale n3 n2"},
		},
		{
			name: "another VNI on every node",
			change: func(c *cluster) {
				for i := range c.leases {
					c.leases[i].VNI = 4096
				}
				for _, n := range c.nodes {
					n.flannel().Name = "flannel.4096"
					for i := range n.neighbours {
						n.neighbours[i].Dev = strings.Replace(n.neighbours[i].Dev, "flannel.1", "flannel.4096", 1)
					}
					for i := range n.fdb {
						n.fdb[i].Dev = strings.Replace(n.fdb[i].Dev, "flannel.1", "flannel.4096", 1)
					}
				}
				c.nodes["n2"].neighbour(1).LLAddr = other // the routes still lead to flannel.1, which is no DirectRouting
			},
			want:  []string{"problem observer-stale n2 n1"},
			shown: []string{`"dev","flannel.4096"`},
		},
		{
			name: "a lease of another backend is passed over",
			change: func(c *cluster) {
				c.leases[0].BackendType = "host-gw"
				c.nodes["n2"].neighbour(1).LLAddr = other
				delete(c.nodes, "n1")
			},
			want: []string{"clean"},
		},
		{
			name: "no lease of the vxlan backend",
			change: func(c *cluster) {
				for i := range c.leases {
					c.leases[i].BackendType = "host-gw"
				}
			},
			want: []string{"not-applicable"},
		},

		{
			name:   "no leases file",
			change: func(c *cluster) { c.files[evidence.LeasesFile] = "" },
			want:   []string{"unknown"},
			shown:  []string{`"file":"cluster/leases.json","text":"missing, and so is cluster/nodes.json"`},
		},
		{name: "leases cut short", change: func(c *cluster) { c.files[evidence.LeasesFile] = `[{"node"` }, want: []string{"unknown"}, shown: []string{"cut short"}},
		{name: "no leases", change: func(c *cluster) { c.leases = []evidence.Lease{} }, want: []string{"unknown"}, shown: []string{"no lease in it"}},
		{name: "a lease of a hostile node", change: func(c *cluster) { c.leases[0].Node = "../../etc" }, want: []string{"unknown"}, shown: []string{"../../etc"}},
		{
			name:   "a leased node without a folder",
			change: func(c *cluster) { delete(c.nodes, "n1") },
			want:   []string{"unknown n1"},
			shown:  []string{`{"file":"nodes/n1","text":"n1 has a lease, but no folder in the bundle"}`},
		},
		{name: "no folders", change: func(c *cluster) { c.nodes = nil }, want: []string{"unknown"}, shown: []string{`{"file":"nodes","text":"missing"}`}},
		{name: "links missing", change: func(c *cluster) { c.files[fileLink1] = "" }, want: []string{"unknown n1"}, shown: []string{fileLink1}},
		{name: "neighbours missing", change: func(c *cluster) { c.files[fileNeigh2] = "" }, want: []string{"unknown n2"}, shown: []string{fileNeigh2}},
		{name: "neighbours empty", change: func(c *cluster) { c.files[fileNeigh2] = "\n" }, want: []string{"unknown n2"}, shown: []string{"the file is empty"}},
		{name: "FDB missing file", change: func(c *cluster) { c.files[fileFDB2] = "" }, want: []string{"unknown n2"}, shown: []string{fileFDB2}},
		{name: "FDB of another type", change: func(c *cluster) { c.files[fileFDB2] = `{"mac":1}` }, want: []string{"unknown n2"}, shown: []string{"want an array"}},
		{
			name: "several files",
			change: func(c *cluster) {
				c.files[fileLink1], c.files[fileNeigh2], c.files[fileFDB2] = "", "[", "[{}]"
			},
			want:  []string{"unknown"},
			shown: []string{fileLink1, fileNeigh2, fileFDB2, "and 2 more, see the evidence"},
		},
		{
			name: "FDB missing, and another's neighbour stale",
			change: func(c *cluster) {
				c.files[fileFDB2] = ""
				c.nodes["n2"].neighbour(1).LLAddr = other
			},
			want: []string{"problem observer-stale n2 n1", "unknown n2"},
		},
		{
			name: "link unreadable: the side that is stale is unknown",
			change: func(c *cluster) {
				c.files[fileLink1] = ""
				c.nodes["n2"].neighbour(1).LLAddr = other
			},
			want:  []string{"unknown n1"},
			shown: []string{"whether n1's lease or the entries of 1 other nodes are stale"},
		},
		{
			name:   "link with a wrong address",
			change: func(c *cluster) { c.nodes["n1"].flannel().Address = "10.0.0.1" },
			want:   []string{"unknown n1"}, shown: []string{`flannel.1 has the link address \"10.0.0.1\"`},
		},
		{
			name:   "two links of one name",
			change: func(c *cluster) { n := c.nodes["n1"]; n.links = append(n.links, *n.flannel()) },
			want:   []string{"unknown n1"}, shown: []string{"two links are named flannel.1"},
		},
		{
			name: "two entries for one neighbour",
			change: func(c *cluster) {
				n := c.nodes["n2"]
				n.neighbours = append(n.neighbours, *n.neighbour(1))
			},
			want: []string{"unknown n2"}, shown: []string{"two entries for 10.244.1.0"},
		},
		{name: "neighbour with a wrong address", change: func(c *cluster) { c.nodes["n2"].neighbour(1).LLAddr = "yes" }, want: []string{"unknown n2"}, shown: []string{`\"yes\" is not an Ethernet address`}},
		{name: "neighbour with a wrong destination", change: func(c *cluster) { c.nodes["n2"].neighbour(1).Dst = "10.244.1" }, want: []string{"unknown n2"}, shown: []string{`\"10.244.1\" is not an IP address`}},
		{name: "FDB row with a wrong MAC", change: func(c *cluster) { c.nodes["n2"].forward(1).MAC = "0e" }, want: []string{"unknown n2"}, shown: []string{`\"0e\" is not an Ethernet address`}},
		{name: "FDB row with a wrong destination", change: func(c *cluster) { c.nodes["n2"].forward(1).Dst = "n1" }, want: []string{"unknown n2"}, shown: []string{`dst \"n1\" is not an IP address`}},
		{
			name: "a node with flannel.1 and no lease",
			change: func(c *cluster) {
				c.leases = c.leases[:2]
				delete(c.nodes, "n1")
				c.leases = c.leases[1:]
			},
			want: []string{"unknown n3"}, shown: []string{"n3 has flannel.1, but no lease"},
		},
		{
			name: "a host outside the cluster",
			change: func(c *cluster) {
				c.nodes["host"] = &node{links: c.nodes["n1"].links[:1]}
			},
			want: []string{"clean"},
		},
		{
			name: "a node without a lease or links",
			change: func(c *cluster) {
				c.nodes["host"] = &node{}
				c.files["nodes/host/ip-link.json"] = ""
			},
			want: []string{"unknown host"},
		},
		{
			name: "a Kubernetes node without annotations",
			change: func(c *cluster) {
				c.annotate()
				c.files[evidence.NodesFile] = strings.Replace(c.files[evidence.NodesFile], `"items":[`, `"items":[{"metadata":{"name":"bare"}},`, 1)
			},
			want: []string{"unknown bare"}, shown: []string{"bare lacks flannel's annotations"},
		},
		{
			name: "Kubernetes nodes whose leases are in etcd",
			change: func(c *cluster) {
				c.files[evidence.NodesFile] = `{"items":[{"metadata":{"name":"n1"}},{"metadata":{"name":"n2"}}]}`
			},
			want: []string{"clean"},
		},
		{name: "nodes.json cut short", change: func(c *cluster) { c.files[evidence.NodesFile] = `{"items":[` }, want: []string{"unknown"}, shown: []string{"cluster/nodes.json"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := healthy(3)
			test.change(c)
			found := c.judge(t, StaleVTEP)
			if got := verdicts(found); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			all := ""
			for _, f := range found {
				all += text(f)
				checkFinding(t, f)
			}
			for _, s := range test.shown {
				if !strings.Contains(all, s) {
					t.Errorf("%s\nis not in %s", s, all)
				}
			}
		})
	}
}

// checkFinding fails where f lacks what every finding of its verdict must have.
func checkFinding(t *testing.T, f Finding) {
	t.Helper()
	problem := f.Verdict == Problem
	if f.Detector == "" || f.Summary == "" || (f.Severity != "") != problem || problem && (len(f.Evidence) == 0 || f.Node == "") ||
		f.Verdict == Unknown && len(f.Evidence) == 0 {
		t.Errorf("finding lacks something: %s", text(f))
	}
	for _, s := range append([]string{f.Summary, f.Expected, f.Actual}, f.Node, f.Peer) {
		if s != oneLine(s) || len([]rune(s)) > maxText+1 {
			t.Errorf("%q is no line", s)
		}
	}
}

func TestStaleVTEPManyEntriesAreOneFinding(t *testing.T) {
	const n = maxPairs + 3
	c := healthy(n)
	c.nodes["n2"].neighbours = c.nodes["n2"].neighbours[:3]
	found := c.judge(t, StaleVTEP)
	if got := verdicts(found); !slices.Equal(got, []string{"problem observer-wide n2"}) {
		t.Fatalf("got %q", got)
	}
	want := fmt.Sprintf("n2's entries for %d of %d other nodes are wrong or missing (%d neighbour-missing)", n-1, n-1, n-1)
	if found[0].Summary != want || found[0].Remedy[0].String() != "systemctl restart flanneld" || found[0].Remedy[0].Node != "n2" {
		t.Errorf("got %s", text(found[0]))
	}

	c = healthy(n)
	for _, nd := range c.nodes {
		nd.neighbours, nd.fdb[2].Dst = nd.neighbours[:3], "192.168.7.99"
	}
	if found = c.judge(t, StaleVTEP); len(found) != n {
		t.Errorf("%d findings for %d nodes", len(found), n)
	}

	c = healthy(n)
	c.nodes["n2"].neighbours = c.nodes["n2"].neighbours[:n-maxPairs+2]
	if found = c.judge(t, StaleVTEP); len(found) != maxPairs {
		t.Errorf("%d findings for %d entries", len(found), maxPairs)
	}
}

// What the workers counted adds up the same in whatever order they are taken.
func TestTally(t *testing.T) {
	a, b := tally{asLease: 2, asLink: 1, follower: 7}, tally{asLease: 1, other: 1, missing: 3, follower: 4}
	want := tally{asLease: 3, asLink: 1, other: 1, missing: 3, follower: 4}
	for _, order := range [][]tally{{a, b, {}}, {b, a, {}}, {{}, a, b}} {
		var sum tally
		for _, u := range order {
			sum.add(u)
		}
		if sum != want {
			t.Errorf("got %+v, want %+v", sum, want)
		}
	}
}

func TestStaleVTEPStops(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(fmt.Errorf("the deadline of the test"))
	found := StaleVTEP.Detect(ctx, evidence.New(healthy(3).fs()))
	if got := verdicts(found); !slices.Equal(got, []string{"unknown"}) || !strings.Contains(found[0].Summary, "stopped before 3 of 3 nodes were judged: the deadline of the test") {
		t.Errorf("got %q: %s", got, found[0].Summary)
	}
}
