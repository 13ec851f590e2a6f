package flannel

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/netfault/netfault/detectors/evidence"
)

// Each distribution runs flanneld in its own way, and what restarts it elsewhere would do nothing and say so to nobody. What is not known
// of it is said.
func TestRestartFitsTheDistribution(t *testing.T) {
	const etcd, annotation = evidence.FromEtcd, evidence.FromAnnotation
	pod := func(label string) string {
		return "kubectl delete pod -A -l " + label + " --field-selector spec.nodeName=n1"
	}
	for _, test := range []struct {
		name, source, metadata, kubelet, want, assumed string
	}{
		{"etcd", etcd, "", "", "n1: systemctl restart flanneld", "is taken for"},
		{"kubeadm with flannel on etcd", etcd, "", "v1.12.3", "n1: systemctl restart flanneld", "is taken for"},
		{"MicroK8s", etcd, `"labels":{"microk8s.io/cluster":"true"}`, "v1.27.5", "n1: systemctl restart snap.microk8s.daemon-flanneld", ""},
		{"flannel's manifest, kube-flannel or kube-system", annotation, "", "v1.30.2", ": " + pod("app=flannel"), "flannel's own manifest"},
		{"no nodes.json", annotation, "-", "", ": " + pod("app=flannel"), "flannel's own manifest"},
		{"k3s, an agent", annotation, "", "v1.30.2+k3s1", "n1: systemctl restart k3s-agent", "k3s has flanneld in it"},
		{"k3s, a server", annotation, `"labels":{"node-role.kubernetes.io/control-plane":"true"}`, "v1.30.2+k3s1", "n1: systemctl restart k3s", "k3s has flanneld in it"},
		{"RKE2 with canal", annotation, `"annotations":{"projectcalico.org/IPv4Address":"192.168.7.1/24"}`, "v1.28.8+rke2r1", ": " + pod("k8s-app=canal"), "Canal's pod"},
		{"RKE2, of which nothing tells", annotation, `"annotations":{"rke2.io/node-args":"[\"agent\"]"}`, "v1.31.2+rke2r1", ": " + pod("k8s-app=canal"), "Canal's pod"},
		{"RKE2 with flannel", annotation, `"annotations":{"rke2.io/node-args":"[\"server\",\"--cni\",\"flannel\"]"}`, "v1.31.2+rke2r1", ": " + pod("app=flannel"), "flannel's chart"},
		{"canal", annotation, `"annotations":{"projectcalico.org/IPv4Address":"192.168.7.1/24"}`, "v1.28.8", ": " + pod("k8s-app=canal"), "Canal's pod"},
		{"RKE", annotation, `"annotations":{"rke.cattle.io/external-ip":"192.168.7.1"}`, "v1.20.15", ": " + pod("k8s-app=flannel"), "RKE's manifest"},
		{"RKE with canal", annotation, `"annotations":{"rke.cattle.io/external-ip":"192.168.7.1","projectcalico.org/IPv4Address":"192.168.7.1/24"}`, "v1.20.15", ": " + pod("k8s-app=canal"), "Canal's pod"},
	} {
		files := fstest.MapFS{}
		if test.metadata != "-" {
			metadata := strings.TrimSuffix(`"name":"n1",`+test.metadata, ",")
			text := fmt.Sprintf(`{"items":[{"metadata":{%s},"spec":{"podCIDR":"10.244.1.0/24"},"status":{"nodeInfo":{"kubeletVersion":%q}}}]}`, metadata, test.kubelet)
			files[evidence.NodesFile] = &fstest.MapFile{Data: []byte(text)}
		}
		cluster := Of(evidence.New(files))
		if cluster.KubeErr != nil {
			t.Fatal(cluster.KubeErr)
		}
		c := cluster.Restart("n1", test.source, "why")
		if got := c.Node + ": " + c.String(); got != test.want || !strings.Contains(c.Why, test.assumed) {
			t.Errorf("%s: %q, %q; want %q, and that %q", test.name, got, c.Why, test.want, test.assumed)
		}
	}
}
