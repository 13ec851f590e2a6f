package evidence

import (
	"errors"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The files below are what iproute2 6.1 prints.
const (
	ipLink = `[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP","LOWER_UP"],"mtu":65536,"qdisc":"noqueue","operstate":"UNKNOWN","linkmode":"DEFAULT","group":"default","txqlen":1000,"link_type":"loopback","address":"00:00:00:00:00:00","broadcast":"00:00:00:00:00:00","promiscuity":0,"stats64":{"rx":{"bytes":7,"packets":1,"errors":0,"dropped":0,"over_errors":0,"multicast":0},"tx":{"bytes":0,"packets":0,"errors":0,"dropped":0,"carrier_errors":0,"collisions":0}}},` +
		`{"ifindex":5,"link":"eth0","ifname":"eth0.5","flags":[],"mtu":1500,"operstate":"DOWN","link_type":"ether","address":"02:00:00:00:00:05","linkinfo":{"info_kind":"vlan","info_data":{"protocol":"802.1Q","id":"five","flags":["REORDER_HDR"]}}},` +
		`{"ifindex":4,"ifname":"flannel.1","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":1450,"qdisc":"noqueue","operstate":"UNKNOWN","linkmode":"DEFAULT","group":"default","txqlen":1000,"link_type":"ether","address":"b6:38:7e:1e:da:65","broadcast":"ff:ff:ff:ff:ff:ff","linkinfo":{"info_kind":"vxlan","info_data":{"id":1,"local":"192.168.7.1","link":"e0","port_range":{"low":0,"high":0},"port":8472,"learning":false,"ttl":0,"df":"unset","ageing":300}},"stats64":{"rx":{"bytes":0,"packets":0,"errors":0,"dropped":0,"otherhost":3},"tx":{"bytes":0,"packets":0,"errors":0,"dropped":1}}},` +
		`{"ifindex":6,"ifname":"cni0","flags":["UP"],"mtu":1450,"link_type":"ether","linkinfo":{"info_kind":"bridge","info_data":{"ageing_time":30000,"root_id":"8000.1a:e9:ae:ea:86:28","vlan_filtering":0,"nf_call_iptables":0,"nf_call_ip6tables":0}}}]
`
	ipAddr = `[{"ifindex":4,"ifname":"flannel.1","flags":["UP"],"mtu":1450,"addr_info":[{"family":"inet","local":"10.244.0.0","prefixlen":32,"scope":"global","label":"flannel.1","valid_life_time":4294967295,"preferred_life_time":4294967295}]}]
`
	ipRoute = `[{"type":"blackhole","dst":"10.9.0.0/16","flags":[]},{"dst":"10.244.1.0/24","gateway":"10.244.1.0","dev":"flannel.1","flags":["onlink"]},{"type":"local","dst":"10.244.0.0","dev":"flannel.1","table":"local","protocol":"kernel","scope":"host","prefsrc":"10.244.0.0","flags":[]},{"dst":"fe80::/64","dev":"e1","protocol":"kernel","metric":256,"flags":[],"pref":"medium"}]
`
	ipNeigh = `[{"dst":"192.168.7.2","dev":"e0","lladdr":"02:00:00:00:00:01","state":["REACHABLE"]},{"dst":"10.1.1.9","dev":"e0","state":["FAILED"]},{"dst":"10.244.9.0","dev":"flannel.1","state":["INCOMPLETE"]},{"dst":"10.244.1.0","dev":"flannel.1","lladdr":"0e:00:00:00:00:11","state":["PERMANENT"]}]
`
	bridgeFDB = `[{"mac":"33:33:00:00:00:01","ifname":"e1","flags":["self"],"state":"permanent"},{"mac":"0e:00:00:00:00:11","ifname":"flannel.1","dst":"192.168.7.2","flags":["self"],"state":"permanent"},{"mac":"6e:a8:7e:64:c2:f7","ifname":"v0","flags":[],"master":"br0","state":""}]
`
	ipNeighDetailed = `[ {
    "dst": "10.244.1.0", "dev": "flannel.1", "lladdr": "0e:00:00:00:00:11", "refcnt": 1,
    "used": 0, "confirmed": 6.0e1, "extern_learn": null, "state": [ "PERMANENT", "NOARP" ]
} ]
`
	// nftables 1.0.6 prints it so, here with a chain that is no base chain and an object of another kind.
	nftChains = `{"nftables": [{"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}}, {"chain": {"family": "ip", "table": "nat", "name": "POSTROUTING", "handle": 4, "type": "nat", "hook": "postrouting", "prio": 100, "policy": "accept"}}, {"table": {"family": "inet", "name": "fw", "handle": 2}}, {"chain": {"family": "inet", "table": "fw", "name": "plain", "handle": 2}}, {"chain": {"family": "netdev", "table": "nd", "name": "i", "handle": 1, "dev": ["lo", "eth0"], "type": "filter", "hook": "ingress", "prio": -5, "policy": "accept"}}]}
`
	ipRule = `[{"priority":0,"src":"all","table":"local"},{"priority":100,"src":"10.1.0.0","srclen":16,"dst":"10.2.0.0","dstlen":16,"fwmark":"0x4","fwmask":"0xff","iif":"eth0","table":"77","suppress_prefixlen":0},{"priority":101,"not":null,"src":"10.1.0.1","oif":"eth0","uid_start":0,"uid_end":10,"ipproto":"tcp","sport":5,"dport_start":80,"dport_end":90,"action":"blackhole"},{"priority":104,"src":"all","goto":32766},{"priority":105,"src":"all","l3mdev":null,"protocol":"bgp"}]
`
	servicesJSON = `{"apiVersion": "v1", "items": [
{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kube-dns", "namespace": "kube-system"}, "spec": {"clusterIP": "10.96.0.10", "clusterIPs": ["10.96.0.10", "fd00::a"], "internalTrafficPolicy": "Cluster", "ports": [{"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53}, {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": "http"}], "sessionAffinity": "None", "type": "ClusterIP"}, "status": {"loadBalancer": {}}},
{"metadata": {"name": "web", "namespace": "default"}, "spec": {"clusterIPs": ["None"], "type": "NodePort", "externalTrafficPolicy": "Local", "ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP"}]}}], "kind": "List", "metadata": {"resourceVersion": ""}}`
	endpointSlicesJSON = `{"apiVersion": "v1", "items": [
{"addressType": "IPv4", "apiVersion": "discovery.k8s.io/v1", "endpoints": [{"addresses": ["10.244.1.3"], "conditions": {"ready": true, "serving": true, "terminating": false}, "nodeName": "n1", "targetRef": {"kind": "Pod", "name": "coredns-1"}}, {"addresses": ["10.244.2.3"], "conditions": {"ready": false, "serving": true, "terminating": true}, "nodeName": "n2"}, {"addresses": ["10.9.9.9"], "conditions": {}}], "kind": "EndpointSlice", "metadata": {"labels": {"kubernetes.io/service-name": "kube-dns"}, "name": "kube-dns-x", "namespace": "kube-system"}, "ports": [{"name": "dns", "port": 53, "protocol": "UDP"}]},
{"addressType": "FQDN", "endpoints": [{"addresses": ["db.example.org"]}], "metadata": {"name": "db", "namespace": "default"}, "ports": null}], "kind": "List"}`
	podsJSON = `{"apiVersion": "v1", "items": [
{"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"k8s-app": "kube-dns"}, "name": "coredns-1", "namespace": "kube-system"}, "spec": {"containers": [{"env": [{"name": "A", "value": "b"}]}], "nodeName": "n1"}, "status": {"conditions": [{"status": "True", "type": "PodScheduled"}, {"status": "True", "type": "Ready"}], "hostIP": "172.18.0.2", "phase": "Running", "podIP": "10.244.1.3", "podIPs": [{"ip": "10.244.1.3"}]}},
{"metadata": {"name": "new", "namespace": "default"}, "spec": {"hostNetwork": true}, "status": {"phase": "Pending"}}], "kind": "List"}`
	daemonSetsJSON = `{"apiVersion": "v1", "items": [{"metadata": {"name": "kube-proxy", "namespace": "kube-system"}, "spec": {"template": {"spec": {"containers": [{"name": "kube-proxy", "image": "kube-proxy:v1.34.4", "command": ["/usr/local/bin/kube-proxy", "--config=/var/lib/kube-proxy/config.conf"]}]}}}, "status": {"desiredNumberScheduled": 3, "numberReady": 2}}], "kind": "List"}`
	kubeProxyJSON  = `{"apiVersion": "v1", "data": {"config.conf": "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nclusterCIDR: 10.244.0.0/16\nconntrack:\n  maxPerCore: 0\n  min: null\niptables:\n  masqueradeAll: true\nmode: \"\"\n", "kubeconfig.conf": "x"}, "kind": "ConfigMap", "metadata": {"name": "kube-proxy"}}`
	leasesJSON     = `[{"node":"n1","podCIDR":"10.244.0.0/24","publicIP":"192.168.7.1","backendType":"vxlan","vni":1,"vtepMAC":"B6:38:7E:1E:DA:65","source":"etcd"},
{"node":"n2","podCIDR":"10.244.1.0/24","publicIP":"192.168.7.2","backendType":"host-gw","source":"etcd"}]`
	nodesJSON = `{"apiVersion":"v1","items":[
{"apiVersion":"v1","kind":"Node","metadata":{"annotations":{"flannel.alpha.coreos.com/backend-data":"{\"VNI\":1,\"VtepMAC\":\"b6:38:7e:1e:da:65\"}","flannel.alpha.coreos.com/backend-type":"vxlan","flannel.alpha.coreos.com/kube-subnet-manager":"true","flannel.alpha.coreos.com/public-ip":"172.18.0.2","node.alpha.kubernetes.io/ttl":"0"},"name":"n1"},"spec":{"podCIDR":"fd00:10:244::/64","podCIDRs":["fd00:10:244::/64","10.244.0.0/24"]},"status":{"images":[{"names":["a"],"sizeBytes":1}]}},
{"metadata":{"name":"n2","annotations":{"flannel.alpha.coreos.com/backend-data":"null","flannel.alpha.coreos.com/backend-type":"host-gw","flannel.alpha.coreos.com/public-ip":"172.18.0.3"}},"spec":{"podCIDR":"10.244.1.0/24"}},
{"metadata":{"name":"bare"},"spec":{}}],"kind":"List","metadata":{"resourceVersion":""}}`
	probesJSON = `[{"kind":"pod","from":"n1","to":"n2","source":"10.244.0.2","target":"10.244.1.2:80","ok":true,"answeredBy":"pod-n2","seen":"10.244.0.2","millis":1.5}]`
	infoJSON   = `{"version":1,"collectedAt":"2026-11-23T10:00:00Z","cluster":"netns:lab","tool":"by hand"}`
)

func TestReadsWhatTheToolsPrint(t *testing.T) {
	b := bundleOf(
		"bundle.json", infoJSON, "cluster/leases.json", leasesJSON, "cluster/probes.json", probesJSON,
		"nodes/n1/ip-link.json", ipLink, "nodes/n1/ip-addr.json", ipAddr, "nodes/n1/ip-route.json", ipRoute,
		"nodes/n1/ip-neigh.json", ipNeigh, "nodes/n1/bridge-fdb.json", bridgeFDB,
		"nodes/n1/nft-chains.json", nftChains, "nodes/n2/nft-chains.json", `{"nftables":[]}`, "nodes/README", "not a node",
		"nodes/n2/ip-neigh.json", ipNeighDetailed, "nodes/n2/bridge-fdb.json", "[]\n",
	)
	equal := func(what string, got any, err error, want any) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", what, got, err, want)
		}
	}

	nodes, err := b.Nodes()
	equal("nodes", nodes, err, []string{"n1", "n2"})

	info, err := b.Info()
	equal("info", info.Cluster+" "+info.Tool, err, "netns:lab by hand")

	leases, _, err := b.Leases()
	equal("lines of leases", linesOf(t, b, LeasesFile, &leases[0].Pos, &leases[1].Pos), nil, []int{1, 2})
	equal("leases", leases, err, []Lease{
		{Node: "n1", PodCIDR: "10.244.0.0/24", PublicIP: "192.168.7.1", BackendType: "vxlan", VNI: 1, VtepMAC: "b6:38:7e:1e:da:65", Source: FromEtcd, File: LeasesFile},
		{Node: "n2", PodCIDR: "10.244.1.0/24", PublicIP: "192.168.7.2", BackendType: "host-gw", Source: FromEtcd, File: LeasesFile},
	})

	probes, err := b.Probes()
	equal("lines of probes", linesOf(t, b, ProbesFile, &probes[0].Pos), nil, []int{1})
	equal("probes", probes, err, []Probe{{
		Kind: ProbePod, From: "n1", To: "n2", Source: "10.244.0.2", Target: "10.244.1.2:80",
		OK: true, AnsweredBy: "pod-n2", Seen: "10.244.0.2", Millis: 1.5,
	}})

	links, err := collect(b.Links("n1", LinkFile), func(l Link) string { return l.Name })
	equal("links", links, err, []string{"lo", "eth0.5", "flannel.1", "cni0"})
	for l := range b.Links("n1", LinkFile) {
		if l.Name == "flannel.1" {
			learning := false
			equal("VXLAN link", *l.Info, nil, LinkInfo{Kind: "vxlan", Data: LinkData{ID: 1, Link: "e0", Local: "192.168.7.1", Port: 8472, Learning: &learning}})
			equal("counters", *l.Stats, nil, Stats64{RX: RXStats{OtherHost: 3}, TX: TXStats{Dropped: 1}})
		}
		if l.Name == "cni0" {
			off := 0
			equal("bridge", *l.Info, nil, LinkInfo{Kind: "bridge", Data: LinkData{NFCallIPTables: &off}})
		}
	}

	addrs, err := collect(b.Addrs("n1"), func(l LinkAddrs) string { return l.Name + " " + l.Addrs[0].Local })
	equal("addresses", addrs, err, []string{"flannel.1 10.244.0.0"})

	routes, err := collect(b.Routes("n1"), func(r Route) string { return r.Type + " " + r.Dst + " " + r.Dev })
	equal("routes", routes, err, []string{"blackhole 10.9.0.0/16 ", " 10.244.1.0/24 flannel.1", "local 10.244.0.0 flannel.1", " fe80::/64 e1"})

	neighbours, err := collect(b.Neighbours("n1"), neighbourText)
	equal("neighbours", neighbours, err, []string{
		"192.168.7.2 e0 02:00:00:00:00:01 REACHABLE", "10.1.1.9 e0  FAILED",
		"10.244.9.0 flannel.1  INCOMPLETE", "10.244.1.0 flannel.1 0e:00:00:00:00:11 PERMANENT",
	})
	neighbours, err = collect(b.Neighbours("n2"), neighbourText)
	equal("neighbours of ip -j -p -s", neighbours, err, []string{"10.244.1.0 flannel.1 0e:00:00:00:00:11 NOARP,PERMANENT"})

	rows, err := collect(b.FDB("n1"), fdbText)
	equal("FDB", rows, err, []string{"33:33:00:00:00:01 e1 ", "0e:00:00:00:00:11 flannel.1 192.168.7.2", "6e:a8:7e:64:c2:f7 v0 "})
	chains, err := collect(b.NFTChains("n1"), nftChainText)
	equal("chains", chains, err, []string{"ip nat POSTROUTING nat postrouting 100", "inet fw plain", "netdev nd i filter ingress -5"})
	chains, err = collect(b.NFTChains("n2"), nftChainText)
	equal("no chains", chains, err, []string(nil))
	rows, err = collect(b.FDB("n2"), fdbText)
	equal("empty FDB", rows, err, []string(nil))
}

// linesOf returns the lines of places, and forgets the places.
func linesOf(t *testing.T, b *Bundle, file string, places ...*Pos) []int {
	t.Helper()
	var at []Pos
	for _, p := range places {
		at = append(at, *p)
		*p = 0
	}
	numbers, err := b.LineNumbers(file, at)
	if err != nil {
		t.Fatal(err)
	}
	return numbers
}

// Places come in any order, some at the very ends, and some are none.
func TestLineNumbers(t *testing.T) {
	b := bundleOf("x.txt", "a\nbc\n\n"+strings.Repeat("d", 70_000)+"\ne")
	got, err := b.LineNumbers("x.txt", []Pos{70_008, 1, 0, 5, 3, 6, 70_006, 2, 70_009})
	if want := []int{5, 1, 0, 2, 2, 3, 4, 1, 0}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if _, err := b.LineNumbers("y.txt", []Pos{1}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

// Every row knows its line, also of files in one line and with much white space.
func TestRowsKnowTheirLines(t *testing.T) {
	b := bundleOf("nodes/n1/ip-neigh.json", "[ {\"dst\":\"a\",\"dev\":\"b\"}\n\n,\n  {\"dst\":\"c\",\"dev\":\"d\"},{\"dst\":\"e\",\"dev\":\"f\"}]",
		"nodes/n1/ip-route.json", "[\n{\"dst\":\"a\"}\n\n,\n  {\"dst\":\"c\"}]", "nodes/n1/sysctl.txt", "net.a = 1\nnet.b = 2\n")
	var neighbours, routes, settings []Pos
	for row := range b.Neighbours("n1") {
		neighbours = append(neighbours, row.Pos)
	}
	for r := range b.Routes("n1") {
		routes = append(routes, r.Pos)
	}
	for s := range b.Sysctls("n1") {
		settings = append(settings, s.Pos)
	}
	for _, test := range []struct {
		file string
		at   []Pos
		want []int
	}{
		{NeighFile, neighbours, []int{1, 4, 4}}, {RouteFile, routes, []int{2, 5}}, {SysctlFile, settings, []int{1, 2}},
	} {
		if got, err := b.LineNumbers(NodeFile("n1", test.file), test.at); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, %v, want %v", test.file, got, err, test.want)
		}
	}
}

func TestLeasesFromAnnotations(t *testing.T) {
	b := bundleOf("cluster/nodes.json", nodesJSON)
	leases, _, err := b.Leases()
	if got := linesOf(t, b, NodesFile, &leases[0].Pos, &leases[1].Pos); !slices.Equal(got, []int{2, 3}) {
		t.Errorf("the leases stand in lines %v", got)
	}
	want := []Lease{
		{Node: "n1", PodCIDR: "10.244.0.0/24", PublicIP: "172.18.0.2", BackendType: "vxlan", VNI: 1, VtepMAC: "b6:38:7e:1e:da:65", Source: FromAnnotation, File: NodesFile},
		{Node: "n2", PodCIDR: "10.244.1.0/24", PublicIP: "172.18.0.3", BackendType: "host-gw", Source: FromAnnotation, File: NodesFile},
	}
	if err != nil || !reflect.DeepEqual(leases, want) {
		t.Errorf("leases: got %+v, %v\nwant %+v", leases, err, want)
	}
	nodes, err := b.KubeNodes()
	var unleased []string
	for _, n := range nodes {
		if !n.Leased {
			unleased = append(unleased, n.Name)
		}
	}
	if err != nil || len(nodes) != 3 || !slices.Equal(unleased, []string{"bare"}) {
		t.Errorf("unleased: got %v of %d nodes, %v", unleased, len(nodes), err)
	}
}

// What a lease says of IPv6 is brought into ip's form. What of it cannot be relied on leaves the rest.
func TestLeasesOfIPv6(t *testing.T) {
	const lease = `{"node":"n1","podCIDR":"10.244.1.0/24","publicIP":"172.18.0.2","backendType":"vxlan","vni":1,"vtepMAC":"0e:00:00:00:00:01","source":"etcd","ipv6":`
	for _, c := range []struct{ ipv6, odd string }{
		{`{"podCIDR":"FD00:10:244:1:0::/64","publicIP":"fd00:7:0::1","vni":1,"vtepMAC":"0E:00:00:00:00:61"}`, ""},
		{`{"podCIDR":"10.244.1.0/24","publicIP":"fd00:7::1","vtepMAC":"0e:00:00:00:00:61"}`, "pod CIDR"},
		{`{"podCIDR":"fd00:10:244:1::5/64","publicIP":"fd00:7::1","vtepMAC":"0e:00:00:00:00:61"}`, "pod CIDR"},
		{`{"podCIDR":"fd00:10:244:1::/64","publicIP":"172.18.0.2","vtepMAC":"0e:00:00:00:00:61"}`, "public IP"},
		{`{"podCIDR":"fd00:10:244:1::/64","publicIP":"fd00:7::1"}`, "VTEP MAC"},
		{`{"podCIDR":"fd00:10:244:1::/64","publicIP":"fd00:7::1","vni":-1,"vtepMAC":"0e:00:00:00:00:61"}`, "VNI"},
	} {
		leases, odd, err := bundleOf("cluster/leases.json", "["+lease+c.ipv6+"}]").Leases()
		if err != nil || len(leases) != 1 {
			t.Errorf("%s: got %d leases, %v", c.ipv6, len(leases), err)
			continue
		}
		if c.odd == "" {
			want := Lease{
				Node: "n1", PodCIDR: "fd00:10:244:1::/64", PublicIP: "fd00:7::1", BackendType: "vxlan", VNI: 1, VtepMAC: "0e:00:00:00:00:61",
				Source: FromEtcd, File: LeasesFile,
			}
			got, ok := leases[0].OfIPv6()
			want.Pos = got.Pos
			if !ok || got != want || len(odd) > 0 {
				t.Errorf("got %+v, %v, odd %v\nwant %+v", got, ok, odd, want)
			}
			continue
		}
		if _, ok := leases[0].OfIPv6(); ok || len(odd) != 1 || !odd[0].IPv6 || !strings.Contains(odd[0].Err.Error(), "IPv6: "+c.odd) {
			t.Errorf("%s: odd %+v, want one for its %s", c.ipv6, odd, c.odd)
		}
	}
}

func TestLeasesFileGoesFirst(t *testing.T) {
	b := bundleOf("cluster/leases.json", "[{]", "cluster/nodes.json", nodesJSON)
	_, _, err := b.Leases()
	wantFileError(t, err, LeasesFile, "not JSON")
}

func TestMissingFiles(t *testing.T) {
	for file, read := range readers {
		err := read(bundleOf("x", ""))
		if file == NodesFile { // a cluster without Kubernetes has no unleased nodes
			if err != nil {
				t.Errorf("%s: %v", file, err)
			}
			continue
		}
		wantFileError(t, err, file, "missing")
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v is not fs.ErrNotExist", file, err)
		}
	}
	_, err := bundleOf("x", "").Nodes()
	wantFileError(t, err, "nodes", "missing")
}

// A reader may stop early and go on with the same iterator later.
func TestReadersStopEarly(t *testing.T) {
	b := bundleOf("nodes/n1/ip-neigh.json", ipNeigh, "nodes/n1/ip-link.json", ipLink)
	neighbours, links := b.Neighbours("n1"), b.Links("n1", LinkFile)
	for range 2 {
		for row, err := range neighbours {
			if err != nil || string(row.Dst) != "192.168.7.2" {
				t.Errorf("first neighbour: %s, %v", row.Dst, err)
			}
			break
		}
		for l, err := range links {
			if err != nil || l.Name != "lo" {
				t.Errorf("first link: %s, %v", l.Name, err)
			}
			break
		}
	}
}

// One iterator may be used by several goroutines.
func TestReadersSideBySide(t *testing.T) {
	neighbours := bundleOf("nodes/n1/ip-neigh.json", ipNeigh).Neighbours("n1")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if all, err := collect(neighbours, neighbourText); err != nil || len(all) != 4 {
					t.Errorf("%q, %v", all, err)
				}
			}
		})
	}
	wg.Wait()
}

// Only an entry is limited in size, not a file.
func TestReadsLargeFiles(t *testing.T) {
	const n = 60_000
	large := func(entry string) string { return "[" + strings.Repeat(entry+",\n", n-1) + entry + "]" }
	b := bundleOf(
		"nodes/n1/ip-link.json", large(`{"ifname":"veth0","flags":["UP"]}`),
		"nodes/n1/ip-neigh.json", large(`{"dst":"10.244.9.0","dev":"flannel.1"}`),
		"nodes/n1/bridge-fdb.json", "[{\"x\":\""+strings.Repeat("x", maxEntry-100)+"\"},"+large(`{"mac":"0e:00:00:00:00:11","ifname":"flannel.1"}`)[1:],
	)
	links, err := collect(b.Links("n1", LinkFile), func(l Link) string { return l.Name })
	if err != nil || len(links) != n || links[n-1] != "veth0" {
		t.Errorf("%d links, %v", len(links), err)
	}
	neighbours, err := collect(b.Neighbours("n1"), neighbourText)
	if err != nil || len(neighbours) != n || neighbours[n-1] != "10.244.9.0 flannel.1  NONE" {
		t.Errorf("%d neighbours, %v", len(neighbours), err)
	}
	_, err = collect(b.FDB("n1"), fdbText)
	wantFileError(t, err, NodeFile("n1", FDBFile), "lacks mac") // the large entry could be read
}
