package rekey_test

import (
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// Files whose structure hangs on more than addresses alone. NODE, SVC and the like stand for what is drawn, and A(x) for
// the new address of x.
func TestFiles(t *testing.T) {
	for file, c := range map[string]struct{ old, now string }{
		"nodes/n1/ip-rule.json": {
			`[{"priority":5,"src":"10.244.0.0","srclen":16,"not":null,"dst":"10.0.0.0","dstlen":8,"iif":"veth-n1","fwmark":"0x4000","table":"100"},` + "\n" +
				`{"priority":6,"src":"10.244.1.9","table":"main"}]` + "\n",
			`[{"priority":5,"src":"A(10.244.0.0)","srclen":16,"not":null,"dst":"10.0.0.0","dstlen":8,"iif":"veth-node-1","fwmark":"0x4000","table":"100"},` + "\n" +
				`{"priority":6,"src":"A(10.244.1.9)","table":"main"}]` + "\n",
		},
		"nodes/n1/nft-ruleset.json": {
			`{"nftables": [{"metainfo": {"json_schema_version": 1}}, {"rule": {"family": "inet", "table": "filter", "chain": "acme", "handle": 4, "expr": [` + "\n" +
				`{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": {"prefix": {"addr": "10.244.0.0", "len": 16}}}},` + "\n" +
				`{"counter": {"packets": 7, "bytes": 8}}, {"drop": null}]}}]}`,
			`{"nftables":[{"metainfo":{"json_schema_version":1}},{"rule":{"family":"inet","table":"filter","chain":"CHAIN","handle":4,"expr":[` + "\n" +
				`{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":{"prefix":{"addr":"A(10.244.0.0)","len":16}}}},` + "\n" +
				`{"counter":{"packets":7,"bytes":8}},{"drop":null}]}}]}`,
		},
		"nodes/n1/subnet.env": {
			"FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n",
			"FLANNEL_NETWORK=A(10.244.0.0)/16\nFLANNEL_SUBNET=A(10.244.1.1)/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n",
		},
		"nodes/n1/conntrack-stats.txt": {
			"cpu=0   \tfound=0 invalid=3 insert_failed=2 \n", "cpu=0   \tfound=0 invalid=3 insert_failed=2 \n",
		},
		"nodes/n1/snmp-later.txt": {"Ip: Forwarding InReceives\nIp: 1 2\n", "Ip: Forwarding InReceives\nIp: 1 2\n"},
		"nodes/n1/modules.txt":    {"br_netfilter 32768 0 - Live\nacme 1 1 x, Live 0x0\n", "br_netfilter 32768 0 - Live\nMODULE 1 1 - Live\n"},
		"nodes/n1/ethtool.txt": {
			"Features for veth-n1:\ntx-udp_tnl-csum-segmentation: off [fixed]\n", "Features for veth-node-1:\ntx-udp_tnl-csum-segmentation: off [fixed]\n",
		},
		"nodes/n1/sysctl.txt": {
			"net.ipv4.conf.veth-n1/5.forwarding = 1\nnet.ipv4.tcp_congestion_control = cubic\nnet.ipv4.ip_local_port_range = 32768\t60999\nkernel.x = n1\n",
			"net.ipv4.conf.veth-node-1/5.forwarding = 1\nnet.ipv4.tcp_congestion_control = cubic\nnet.ipv4.ip_local_port_range = 32768\t60999\nkernel.x =\n",
		},
		"cluster/services.json": {
			`{"items": [{"metadata": {"namespace": "default", "name": "shop", "uid": "1"}, "spec": {"type": "ClusterIP", "clusterIPs": ["10.96.0.10"],` +
				` "ports": [{"name": "dns", "protocol": "UDP", "port": 53, "targetPort": "dns"}]}}]}`,
			`{"items":[{"metadata":{"namespace":"default","name":"SVC"},"spec":{"type":"ClusterIP","clusterIPs":["A(10.96.0.10)"],` +
				`"ports":[{"name":"dns","protocol":"UDP","port":53}]}}]}`,
		},
		"cluster/pods.json": {
			`{"items":[{"metadata":{"namespace":"kube-system","name":"pod-n1"},"spec":{"nodeName":"n1","hostNetwork":true},"status":{"phase":"Running",` +
				`"podIPs":[{"ip":"10.244.1.9"}],"conditions":[{"type":"Ready","status":"True"}]}}]}`,
			`{"items":[{"metadata":{"namespace":"kube-system","name":"pod-node-1"},"spec":{"nodeName":"node-1","hostNetwork":true},"status":{"phase":"Running",` +
				`"podIPs":[{"ip":"A(10.244.1.9)"}],"conditions":[{"type":"Ready","status":"True"}]}}]}`,
		},
		"cluster/kube-proxy.json": {
			`{"data":{"config.conf":"mode: \"\"\nclusterCIDR: 10.244.0.0/16\nconntrack:\n  min: 5\n  x: n1\niptables:\n  masqueradeAll: true\n"}}`,
			`{"data":{"config.conf":"mode: \"\"\nclusterCIDR: A(10.244.0.0)/16\nconntrack:\n  min: 5\niptables:\n  masqueradeAll: true\n"}}`,
		},
		"cluster/daemonsets.json": {
			`{"items":[{"metadata":{"namespace":"kube-flannel","name":"kube-flannel-ds"},"spec":{"template":{"spec":{"containers":[{"name":"kube-flannel",` +
				`"image":"docker.io/flannel/flannel:v0.26.0","command":["/opt/bin/flanneld"],"args":["--ip-masq","--iface=eth0","--public-ip=10.96.0.10"]}]}}}}]}`,
			`{"items":[{"metadata":{"namespace":"kube-flannel","name":"kube-flannel-ds"},"spec":{"template":{"spec":{"containers":[{"name":"kube-flannel",` +
				`"image":"docker.io/flannel/flannel:v0.26.0","command":["/opt/bin/flanneld"],"args":["--ip-masq","--iface=eth0","--public-ip=A(10.96.0.10)"]}]}}}}]}`,
		},
	} {
		t.Run(file, func(t *testing.T) {
			in := fstest.MapFS{
				file:                     {Data: []byte(c.old)},
				"nodes/n1/uname.txt":     {Data: []byte("6.1.0\n")},
				"cluster/leases.json":    {Data: []byte(`[{"node":"n1","podCIDR":"10.244.1.0/24","publicIP":"192.168.7.1"}]`)},
				"nodes/n1/ip-link.json":  {Data: []byte(`[{"ifname":"eth0"},{"ifname":"veth-n1"}]`)},
				"nodes/n1/conntrack.txt": {Data: []byte("ipv4 2 udp 17 3 src=10.244.1.9 dst=10.96.0.10 sport=1 dport=53\n")},
				"nodes/n1/ip-route.json": {Data: []byte(`[{"dst":"10.244.0.0/16","dev":"eth0"}]`)},
			}
			out, names, left := rekeyed(t, in, keys(1)[0])
			if len(left) > 0 {
				t.Fatal(left)
			}
			want := regexp.MustCompile(`A\(([0-9.]+)\)`).ReplaceAllStringFunc(c.now, func(s string) string { return names.Text(s[2 : len(s)-1]) })
			for placeholder, old := range map[string]string{"SVC": "shop", "CHAIN": "acme", "MODULE": "acme"} {
				want = strings.ReplaceAll(want, placeholder, names.Text(old))
			}
			got := string(out[strings.Replace(file, "n1/", "node-1/", 1)].Data)
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if names.Text("10.244.1.9") == "10.244.1.9" {
				t.Error("an address stayed")
			}
		})
	}
}
