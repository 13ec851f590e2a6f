package fault

import (
	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/lab"
)

// RestartFlanneld is the command that restarts flanneld on a node, as people do it: by its service, or where Kubernetes runs it,
// by deleting its pod.
func RestartFlanneld(l lab.Lab, n lab.Node, why string) detectors.Command {
	if l.API() == nil {
		return detectors.Command{Node: n.Name(), Argv: []string{"systemctl", "restart", "flanneld"}, Why: why}
	}
	return detectors.Command{
		Argv: []string{"kubectl", "-n", "kube-flannel", "delete", "pod", "-l", "app=flannel", "--field-selector", "spec.nodeName=" + n.Name()},
		Why:  why,
	}
}
