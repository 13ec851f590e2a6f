package dockerdipmasq

import (
	"context"
	"net/netip"
	"slices"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
)

// dockerUnit is the dockerd that the scenario starts beside a node's kubelet. Its name has the mark by which the undo stops it.
const dockerUnit = agent.UnitPrefix + "dockerd"

// dockerdCommand starts a dockerd that is given the pods' bridge, and returns once it is ready. What it writes is in folders
// that go with the unit; it runs no containers.
func dockerdCommand(bridge string) []string {
	const dir = "/run/" + dockerUnit
	return []string{
		"systemd-run", "--quiet", "--collect", "--unit=" + dockerUnit, "--property=Type=notify",
		"--property=RuntimeDirectory=" + dockerUnit + " docker", "--property=TemporaryFileSystem=/etc/docker",
		"/usr/sbin/dockerd", "--bridge=" + bridge, "--ip-masq=true",
		"--data-root=" + dir + "/data", "--exec-root=" + dir + "/exec", "--pidfile=" + dir + "/pid",
		"--host=unix://" + dir + "/socket", "--containerd=/run/containerd/containerd.sock",
	}
}

// byDockerd begins with somebody who starts a dockerd for the pods' bridge: no script of flannel's writes its options where
// flanneld is Kubernetes's, and --ip-masq=true is dockerd's own default.
func byDockerd(ctx context.Context, l lab.Lab, n lab.Node, say func(string)) error {
	argv := dockerdCommand(string(l.Pods()))
	say(n.Name() + "# " + detectors.Command{Argv: argv}.String())
	_, err := machine.Output(ctx, n, argv...)
	return err
}

// byRecordedRules writes the rules that a dockerd would write for the node's pods and their bridge, where the node's image
// has none.
func byRecordedRules(ctx context.Context, l lab.Lab, n lab.Node, _ func(string)) error {
	gateway := netip.PrefixFrom(n.PodCIDR.Addr().Next(), n.PodCIDR.Bits())
	_, err := machine.Output(ctx, n, l.Agent(), "dockerd", "--once", "--ip-masq=true", "--bridge="+string(l.Pods()), "--bip="+gateway.String())
	return err
}

// attemptsOnKubernetes: flanneld masquerades there all the while, so that deleting the rule is a remedy as long as Docker is
// not started again.
func attemptsOnKubernetes(l lab.Lab) []fault.Attempt {
	if l.Docker() == lab.DockerRecorded {
		return nil
	}
	return []fault.Attempt{{
		Name: "deleting dockerd's rule, which Docker writes again when it starts",
		Commands: slices.Concat(
			everywhere(l, func(n lab.Node) []string { return deleteRule(l, n) }),
			everywhere(l, func(lab.Node) []string { return []string{"systemctl", "restart", dockerUnit} }),
		),
	}}
}
