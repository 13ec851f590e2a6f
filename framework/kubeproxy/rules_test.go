package kubeproxy

import (
	"net/netip"
	"strings"
	"testing"
)

func TestRules(t *testing.T) {
	web := Service{
		Name: "default/web", Protocol: "tcp", ClusterIP: netip.MustParseAddr("10.96.0.20"), Port: 80, NodePort: 30080,
		Endpoints: []netip.AddrPort{netip.MustParseAddrPort("10.244.1.2:8080"), netip.MustParseAddrPort("10.244.2.2:8080")},
	}
	got := Rules(netip.MustParsePrefix("10.244.0.0/16"), []Service{web})
	for _, want := range []string{
		`-A KUBE-SERVICES -m comment --comment "default/web cluster IP" -m tcp -p tcp -d 10.96.0.20 --dport 80 -j KUBE-SVC-`,
		`-m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-`,
		`! -s 10.244.0.0/16 -j KUBE-MARK-MASQ`,
		`-m tcp -p tcp -j DNAT --to-destination 10.244.2.2:8080`,
		`--dport 30080 -j KUBE-EXT-`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	// NodePorts must come after every ClusterIP, as kube-proxy's comment says.
	nodePorts := strings.Index(got, "must be the last rule")
	if clusterIP := strings.LastIndex(got, "-A KUBE-SERVICES -m comment --comment \"default/web"); nodePorts < clusterIP {
		t.Error("the NodePort rule does not come last in KUBE-SERVICES")
	}
}

// The names are those of a real cluster: kube-proxy v1.34 gives the API server's Service these chains.
func TestHashIsKubeProxys(t *testing.T) {
	if got, want := "KUBE-SVC-"+hash("default/kubernetes:https"+"tcp"), "KUBE-SVC-NPX46M4PTMTKRN6Y"; got != want {
		t.Errorf("chain %s, want %s", got, want)
	}
	if got, want := "KUBE-SVC-"+hash("kube-system/kube-dns:dns"+"udp"), "KUBE-SVC-TCOU7JCQXEZGVUNU"; got != want {
		t.Errorf("chain %s, want %s", got, want)
	}
}
