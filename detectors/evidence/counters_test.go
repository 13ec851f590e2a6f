package evidence

import (
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func printed[T any](v T) string { return fmt.Sprintf("%+v", v) }

func TestPolicyRules(t *testing.T) {
	var rules []PolicyRule
	for r, err := range bundleOf(NodeFile("n1", PolicyFile), ipRule).PolicyRules("n1") {
		if err != nil {
			t.Fatal(err)
		}
		r.Pos = 0
		rules = append(rules, r)
	}
	zero, to, first, last := 0, 32766, int64(0), int64(10)
	want := []PolicyRule{
		{Src: "all", Table: "local"},
		{Priority: 100, Src: "10.1.0.0", SrcLen: 16, Dst: "10.2.0.0", DstLen: 16, FWMark: "0x4", FWMask: "0xff", IIF: "eth0", Table: "77", SuppressPrefixLen: &zero},
		{Priority: 101, Not: true, Src: "10.1.0.1", OIF: "eth0", UIDStart: &first, UIDEnd: &last, IPProto: "tcp", SPort: 5, DPortStart: 80, DPortEnd: 90, Action: "blackhole"},
		{Priority: 104, Src: "all", Goto: &to},
		{Priority: 105, Src: "all", L3MDev: true, Protocol: "bgp"},
	}
	if !reflect.DeepEqual(rules, want) {
		t.Errorf("got %+v\nwant %+v", rules, want)
	}
}

// places are left out where values are compared; TestRowsKnowTheirLines looks at them.
var places = regexp.MustCompile(` Pos:[0-9]+`)

func TestKubernetes(t *testing.T) {
	b := bundleOf(ServicesFile, servicesJSON, EndpointSlicesFile, endpointSlicesJSON, PodsFile, podsJSON, DaemonSetsFile, daemonSetsJSON,
		KubeProxyFile, kubeProxyJSON)
	equal := func(what string, got []string, err error, want ...string) {
		t.Helper()
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got\n%s\n%v\nwant\n%s", what, strings.Join(got, "\n"), err, strings.Join(want, "\n"))
		}
	}
	services, err := collect(b.Services(), printed)
	equal("services", services, err,
		"{Namespace:kube-system Name:kube-dns Type:ClusterIP ClusterIPs:[10.96.0.10 fd00::a] Ports:[{Name:dns Protocol:UDP Port:53 NodePort:0} {Name:metrics Protocol:TCP Port:9153 NodePort:0}] ExternalTrafficPolicy: InternalTrafficPolicy:Cluster}",
		"{Namespace:default Name:web Type:NodePort ClusterIPs:[] Ports:[{Name: Protocol:TCP Port:80 NodePort:30080}] ExternalTrafficPolicy:Local InternalTrafficPolicy:}")
	slices, err := collect(b.EndpointSlices(), printed)
	equal("endpoint slices", slices, err,
		"{Namespace:kube-system Name:kube-dns-x Service:kube-dns AddressType:IPv4 Ports:[{Name:dns Protocol:UDP Port:53}] Endpoints:["+
			"{Addresses:[10.244.1.3] Node:n1 Ready:true Serving:true Terminating:false} {Addresses:[10.244.2.3] Node:n2 Ready:false Serving:true Terminating:true} "+
			"{Addresses:[10.9.9.9] Node: Ready:true Serving:true Terminating:false}]}",
		"{Namespace:default Name:db Service: AddressType:FQDN Ports:[] Endpoints:[{Addresses:[] Node: Ready:true Serving:true Terminating:false}]}")
	pods, err := collect(b.Pods(), printed)
	equal("pods", pods, err,
		"{Namespace:kube-system Name:coredns-1 Labels:map[k8s-app:kube-dns] Node:n1 HostNetwork:false Phase:Running Ready:true IPs:[10.244.1.3]}",
		"{Namespace:default Name:new Labels:map[] Node: HostNetwork:true Phase:Pending Ready:false IPs:[]}")
	sets, err := collect(b.DaemonSets(), printed)
	equal("daemon sets", sets, err,
		"{Namespace:kube-system Name:kube-proxy Containers:[{Name:kube-proxy Image:kube-proxy:v1.34.4 Command:[/usr/local/bin/kube-proxy --config=/var/lib/kube-proxy/config.conf] Args:[]}] Desired:3 Ready:2}")
	config, err := b.KubeProxy()
	if err != nil || config.Mode != "" || config.ClusterCIDR != "10.244.0.0/16" || !config.IPTables.MasqueradeAll ||
		config.Conntrack.MaxPerCore == nil || *config.Conntrack.MaxPerCore != 0 || config.Conntrack.Min != nil {
		t.Errorf("kube-proxy: %+v, %v", config, err)
	}
}

// A slice of 1,000 endpoints, the most that the API takes, is one entry as kubectl prints it.
func TestLargeEndpointSlice(t *testing.T) {
	const endpoint = `            {
                "addresses": [
                    "10.244.100.100"
                ],
                "conditions": {
                    "ready": true,
                    "serving": true,
                    "terminating": false
                },
                "nodeName": "a-worker-with-a-long-name-0123456789.example.internal",
                "targetRef": {
                    "kind": "Pod",
                    "name": "a-deployment-with-a-long-name-0123456789-abcdef-ghijk",
                    "namespace": "a-namespace-with-a-long-name",
                    "uid": "01234567-89ab-cdef-0123-456789abcdef"
                },
                "zone": "europe-west-1"
            }`
	list := strings.TrimSuffix(strings.Repeat(endpoint+",\n", 1000), ",\n")
	text := `{"items": [{"addressType": "IPv4", "metadata": {"namespace": "a", "name": "b"}, "endpoints": [` + list + `]}]}`
	for s, err := range bundleOf(EndpointSlicesFile, text).EndpointSlices() {
		if err != nil || len(s.Endpoints) != 1000 || s.Endpoints[999].Addresses[0] != netip.MustParseAddr("10.244.100.100") {
			t.Errorf("%d endpoints, %v", len(s.Endpoints), err)
		}
	}
}

func TestInfoNodes(t *testing.T) {
	info, err := bundleOf(InfoFile, strings.Replace(infoJSON, `"by hand"`, `"by hand","nodes":["n1","n2.example.org"]`, 1)).Info()
	if err != nil || !slices.Equal(info.Nodes, []string{"n1", "n2.example.org"}) {
		t.Errorf("%q, %v", info.Nodes, err)
	}
}

func TestLater(t *testing.T) {
	for file, want := range map[string]string{LinkFile: LinkLaterFile, NFTFile: "iptables-nft-save-later.txt", SNMPFile: "snmp-later.txt"} {
		if got := Later(file); got != want {
			t.Errorf("%s: %s, want %s", file, got, want)
		}
	}
}

func TestMoreTextFiles(t *testing.T) {
	list := func(got []string, err error) string {
		if err != nil {
			return "error: " + err.Error()
		}
		return strings.Join(got, ";")
	}
	one := func(v any, err error) string {
		if err != nil {
			return "error: " + err.Error()
		}
		return fmt.Sprintf("%+v", v)
	}
	features := func(s string) string {
		return list(collect(bundleOf(NodeFile("n1", EthtoolFile), s).Features("n1"), printed))
	}
	snmp := func(s string) string { return one(bundleOf(NodeFile("n1", SNMPFile), s).Counters("n1", SNMPFile)) }
	stats := func(s string) string {
		return list(collect(bundleOf(NodeFile("n1", ConntrackStatsFile), s).ConntrackStats("n1", ConntrackStatsFile), printed))
	}
	subnet := func(s string) string { return one(bundleOf(NodeFile("n1", SubnetFile), s).Subnet("n1")) }
	tables := func(s string) string {
		names, err := bundleOf(NodeFile("n1", LegacyTablesFile), s).LegacyTables("n1")
		if err != nil {
			return "error: " + err.Error()
		}
		return strings.Join(names, ";")
	}
	modules := func(s string) string {
		return list(collect(bundleOf(NodeFile("n1", ModulesFile), s).Modules("n1"), printed))
	}
	const (
		env   = "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
		names = "entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart\n"
		cpu   = "00000010  00000000 00000000 00000000 00000002 00000000 00000000 00000000 00000000 00000003 0000000a 00000005 00000000  00000000 00000000 00000000 00000006\n"
		save  = "# Generated\n*filter\n:INPUT DROP [12:720]\n:X - [0:0]\n[7:70] -A INPUT -p udp -m comment --comment \"a \\\"b\" -j DROP\n-A X -j RETURN\nCOMMIT\n# Completed\n"
	)
	for _, test := range []struct {
		read       func(string) string
		text, want string
	}{
		{features, "Features for flannel.1:\nrx-checksumming: on\ntx-checksumming: on\n\ttx-checksum-ipv4: off [fixed]\nFeatures for cni0:\nrx-gro-list: off [requested on]\n",
			"{Dev:flannel.1 Name:rx-checksumming On:true Fixed:false};{Dev:flannel.1 Name:tx-checksumming On:true Fixed:false};" +
				"{Dev:flannel.1 Name:tx-checksum-ipv4 On:false Fixed:true};{Dev:cni0 Name:rx-gro-list On:false Fixed:false}"},
		{features, "# there is neither a VXLAN link nor a bridge\n", ""},
		{features, "rx-checksumming: on\n", `error: nodes/n1/ethtool.txt: line 1: want "Features for LINK:" first`},
		{features, "Features for :\n", `error: nodes/n1/ethtool.txt: line 1: want "Features for LINK:", found`},
		{features, "Features for eth0:\nrx-checksumming: maybe\n", `error: nodes/n1/ethtool.txt: line 2: want "FEATURE: on"`},
		{features, "Features for eth0:\nrx-checksumming: on", `error: nodes/n1/ethtool.txt: line 2: cut short`},
		{features, "netlink error: No such device\n", `error: nodes/n1/ethtool.txt: line 1`},
		{features, "", `error: nodes/n1/ethtool.txt: line 1: the file is empty`},

		{snmp, "Tcp: RtoMin MaxConn InCsumErrors\nTcp: 200 -1 3\nUdp: InCsumErrors\nUdp: 5\n", "map[TcpInCsumErrors:{Value:3} TcpRtoMin:{Value:200} UdpInCsumErrors:{Value:5}]"},
		{snmp, "Tcp: A\nTcp: --1\n", `error: nodes/n1/snmp.txt: line 2: A is "--1": want a number`},
		{snmp, "Tcp: A\n", "error: nodes/n1/snmp.txt: cut short"},

		{stats, "cpu=0   \tfound=0 invalid=2 insert=0 insert_failed=3 drop=10 early_drop=5 error=0 search_restart=6 clash_resolve=0 chaintoolong=0 \ncpu=1   \tfound=0 invalid=1 insert=0\n",
			"{Invalid:2 InsertFailed:3 Drop:10 EarlyDrop:5 SearchRestart:6};{Invalid:1 InsertFailed:0 Drop:0 EarlyDrop:0 SearchRestart:0}"},
		{stats, names + cpu, "{Invalid:2 InsertFailed:3 Drop:10 EarlyDrop:5 SearchRestart:6}"},
		{stats, names, "error: nodes/n1/conntrack-stats.txt: cut short"},
		{stats, cpu, "error: nodes/n1/conntrack-stats.txt: line 1: want what conntrack -S prints"},
		{stats, names + "00000010 0\n", "error: nodes/n1/conntrack-stats.txt: line 2: want what conntrack -S prints"},
		{stats, names + strings.Replace(cpu, "0000000a", "0000000x", 1), `error: nodes/n1/conntrack-stats.txt: line 2: drop is "0000000x"`},
		{stats, "cpu=0 drop=x\n", `error: nodes/n1/conntrack-stats.txt: line 1: want NAME=NUMBER`},
		{stats, "cpu=0 drop\n", `error: nodes/n1/conntrack-stats.txt: line 1: want NAME=NUMBER`},
		{stats, "cpu=0 drop=1", `error: nodes/n1/conntrack-stats.txt: line 1: cut short`},

		{subnet, env, "{Network:10.244.0.0/16 Subnet:10.244.1.1/24 MTU:1450 IPMasq:true}"},
		{subnet, env + "FLANNEL_IPV6_NETWORK=fd00::/48\n", "{Network:10.244.0.0/16 Subnet:10.244.1.1/24 MTU:1450 IPMasq:true}"},
		{subnet, env[:len(env)-1], "error: nodes/n1/subnet.env: line 4: cut short"},
		{subnet, strings.Replace(env, "FLANNEL_MTU=1450\n", "", 1), "error: nodes/n1/subnet.env: no FLANNEL_MTU"},
		{subnet, strings.Replace(env, "1450", "-1", 1), `error: nodes/n1/subnet.env: FLANNEL_MTU is "-1": want a number of bytes`},
		{subnet, strings.Replace(env, "10.244.1.1/24", "fd00::1/64", 1), `error: nodes/n1/subnet.env: FLANNEL_SUBNET is "fd00::1/64"`},
		{subnet, strings.Replace(env, "10.244.0.0/16", "10.244.0.0", 1), `error: nodes/n1/subnet.env: FLANNEL_NETWORK is "10.244.0.0"`},
		{subnet, strings.Replace(env, "true", "perhaps", 1), `error: nodes/n1/subnet.env: FLANNEL_IPMASQ is "perhaps"`},
		{subnet, env + env, "error: nodes/n1/subnet.env: line 5: FLANNEL_NETWORK stands here for the second time"},
		{subnet, "x=y\n", "error: nodes/n1/subnet.env: line 1: want"},

		{modules, "br_netfilter 32768 0 - Live\nvxlan 155648 1 br_netfilter, Live 0x0000000000000000\n", "{Name:br_netfilter State:Live};{Name:vxlan State:Live}"},
		{tables, "nat\nfilter\n", "nat;filter"},
		{tables, "# legacy iptables has no tables\n", ""},
		{tables, "cat: no such file\n", "error: nodes/n1/ip-tables-names.txt: line 1: want the name of a table"},
		{tables, "nat", "error: nodes/n1/ip-tables-names.txt: line 1: cut short"},
		{modules, "# br_netfilter is not in /proc/modules\n", ""},
		{modules, "Module Size Used by\n", "error: nodes/n1/modules.txt: line 1: want a line of /proc/modules"},
		{modules, "", "error: nodes/n1/modules.txt: line 1: the file is empty"},
	} {
		if got := places.ReplaceAllString(test.read(test.text), ""); got != test.want && !(strings.HasPrefix(test.want, "error: ") && strings.HasPrefix(got, test.want)) {
			t.Errorf("%.60q: got %.400q\nwant %q", test.text, got, test.want)
		}
	}
}

// A reader may stop early, within a table too.
func TestTextReadersStopEarly(t *testing.T) {
	b := bundleOf(NodeFile("n1", ConntrackStatsFile), "cpu=0 drop=1\nx\n",
		NodeFile("n1", EthtoolFile), "Features for a:\nb: on\nx\n", NodeFile("n1", ModulesFile), "a 1 0 - Live\nx\n")
	for _, err := range b.ConntrackStats("n1", ConntrackStatsFile) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	for _, err := range b.Features("n1") {
		if err != nil {
			t.Error(err)
		}
		break
	}
	for _, err := range b.Modules("n1") {
		if err != nil {
			t.Error(err)
		}
		break
	}
}

// FuzzMoreText checks that no text makes a reader of text files panic.
func FuzzMoreText(f *testing.F) {
	for _, seed := range []string{
		"cpu=0 drop=1\n", "drop insert_failed\n1 a\n",
		"Features for a:\n\tb: on [fixed]\n", "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n",
		"br_netfilter 32768 0 - Live\n# no\n", "Tcp: MaxConn\nTcp: -1\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b := bundleOf(NodeFile("n1", ConntrackStatsFile), text, NodeFile("n1", EthtoolFile), text,
			NodeFile("n1", SubnetFile), text, NodeFile("n1", ModulesFile), text, NodeFile("n1", SNMPFile), text)
		_, snmp := b.Counters("n1", SNMPFile)
		_, subnet := b.Subnet("n1")
		for file, err := range map[string]error{
			ConntrackStatsFile: drain(b.ConntrackStats("n1", ConntrackStatsFile)),
			EthtoolFile:        drain(b.Features("n1")), ModulesFile: drain(b.Modules("n1")), SNMPFile: snmp, SubnetFile: subnet,
		} {
			if err != nil {
				wantFileError(t, err, NodeFile("n1", file), "")
			}
		}
	})
}
