package kind

import (
	"encoding/json"
	"fmt"
	"net/netip"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netfault/netfault/detectors/evidence"
)

// leaseOf reads a node's annotations as flannel does (nodeToLease in pkg/subnet/kube/kube.go, v0.28.10).
func leaseOf(n corev1.Node) (evidence.Lease, error) {
	lease := evidence.Lease{
		Node: n.Name, PodCIDR: podCIDR(n), PublicIP: n.Annotations[annotationPublicIP],
		BackendType: n.Annotations[annotationType], Source: evidence.FromAnnotation,
	}
	// The data may be missing while a fault is being injected: it is then a lease without a link address.
	if data := n.Annotations[annotationData]; lease.BackendType == "vxlan" && data != "" {
		var vtep struct {
			VNI     int
			VtepMAC string
		}
		if err := json.Unmarshal([]byte(data), &vtep); err != nil {
			return lease, fmt.Errorf("lease of %s: annotation %s: %w", n.Name, annotationData, err)
		}
		lease.VNI, lease.VtepMAC = vtep.VNI, vtep.VtepMAC
	}
	return lease, nil
}

// podCIDR returns the first IPv4 network of the node, which is the one that flannel leases.
func podCIDR(n corev1.Node) string {
	for _, c := range n.Spec.PodCIDRs {
		if p, err := netip.ParsePrefix(c); err == nil && p.Addr().Is4() {
			return c
		}
	}
	return n.Spec.PodCIDR
}

// dnsDeployment is CoreDNS's, as kubeadm makes it.
func dnsDeployment() appsv1.Deployment {
	return appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "coredns", Namespace: "kube-system"}}
}
