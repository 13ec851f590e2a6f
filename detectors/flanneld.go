package detectors

import (
	"fmt"

	"github.com/netfault/netfault/detectors/evidence"
)

// restartFlanneld returns the command that restarts flanneld on the node of l: through its service where flanneld keeps
// its leases in etcd, and by deleting its pod, which the DaemonSet (of kube-flannel.yml) makes anew, in Kubernetes. At its
// start flanneld makes flannel.<VNI> anew or keeps it, announces its link address in the lease, and writes the route,
// neighbour and FDB entry of every other lease (flannel pkg/backend/vxlan: RegisterNetwork, handleSubnetEvents).
func restartFlanneld(l evidence.Lease, why string) Command {
	if l.Source == evidence.FromEtcd {
		return Command{Node: l.Node, Argv: []string{"systemctl", "restart", "flanneld"}, Why: why}
	}
	return Command{
		Argv: []string{"kubectl", "-n", "kube-flannel", "delete", "pod", "-l", "app=flannel",
			"--field-selector", "spec.nodeName=" + l.Node},
		Why: why,
	}
}

// leaseLine quotes a lease.
func leaseLine(l evidence.Lease) Line {
	return Line{File: l.File, Text: fmt.Sprintf("%s: %s, public IP %s, VNI %d, VtepMAC %s, from %s",
		l.Node, l.PodCIDR, l.PublicIP, l.VNI, l.VtepMAC, l.Source)}
}
