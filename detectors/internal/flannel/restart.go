package flannel

import (
	"strings"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
)

// Restart returns the command that restarts flanneld on a node, whose lease, or else that of others, is from source. At its start
// flanneld makes flannel.<VNI> anew or keeps it, announces its link address in the lease, and writes the route, neighbour and
// FDB entry of every other lease (flannel pkg/backend/vxlan: RegisterNetwork, handleSubnetEvents).
//
// With etcd, flanneld is a service: MicroK8s' has a name of its own, and where nothing tells, the usual one is taken. In Kubernetes it is mostly a pod, which its DaemonSet makes anew when it is deleted; where
// it is not, deleting one would do nothing and say so to nobody:
//   - k3s has flannel in its own process (pkg/agent/flannel);
//   - RKE2, RKE and Calico's manifests run it in Canal's pods, RKE without Calico in one of its own, and RKE2 that is told to have
//     flannel in that of flannel's chart;
//   - flannel's manifests have app=flannel in all versions, in kube-system up to v0.18 and then in kube-flannel.
func (c *Cluster) Restart(node, source, why string) detectors.Command {
	k := c.Kube[node]
	switch {
	case source == evidence.FromEtcd && k.MicroK8s:
		return detectors.Command{Node: node, Argv: []string{"systemctl", "restart", "snap.microk8s.daemon-flanneld"}, Why: why}
	case source == evidence.FromEtcd:
		return detectors.Command{Node: node, Argv: []string{"systemctl", "restart", "flanneld"}, Why: why + "; flanneld is taken for a service of systemd with this name"}
	case strings.Contains(k.Kubelet, "+k3s") && k.Server:
		return detectors.Command{Node: node, Argv: []string{"systemctl", "restart", "k3s"}, Why: why + "; k3s has flanneld in it"}
	case strings.Contains(k.Kubelet, "+k3s"):
		return detectors.Command{Node: node, Argv: []string{"systemctl", "restart", "k3s-agent"}, Why: why + "; k3s has flanneld in it"}
	case k.RKE && !k.Calico:
		return deletePod(node, "k8s-app=flannel", why+"; the pod is that of RKE's manifest")
	case strings.Contains(k.Kubelet, "+rke2") && !k.Calico && c.rke2Flannel():
		return deletePod(node, "app=flannel", why+"; the pod is that of flannel's chart, which RKE2 was told to have")
	case strings.Contains(k.Kubelet, "+rke2"), k.Calico:
		return deletePod(node, "k8s-app=canal", why+"; it runs in Canal's pod")
	}
	return deletePod(node, "app=flannel", why+"; the pod is that of flannel's own manifest")
}

// rke2Flannel reports whether RKE2's servers were told to have flannel.
func (c *Cluster) rke2Flannel() bool {
	for _, k := range c.Kube {
		if k.RKE2Flannel {
			return true
		}
	}
	return false
}

// deletePod deletes the pods with a label on a node, in whatever namespace they are.
func deletePod(node, label, why string) detectors.Command {
	return detectors.Command{
		Argv: []string{"kubectl", "delete", "pod", "-A", "-l", label, "--field-selector", "spec.nodeName=" + node},
		Why:  why,
	}
}
