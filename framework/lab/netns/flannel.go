package netns

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/tools"
)

// subnetFile is flanneld's default --subnet-file.
const subnetFile = "/run/flannel/subnet.env"

// flanneldOptions is where flannel's package for Fedora and CentOS keeps flanneld's options.
const flanneldOptions = "/etc/sysconfig/flanneld"

// flanneldService is flanneld's name as a service of a node.
const flanneldService = "flanneld"

// flannel is the counterpart of flannel's DaemonSet: it says on which nodes flanneld runs.
type flannel struct{ lab *Lab }

func (f *flannel) Version() string { return f.lab.record.Flannel }

func (f *flannel) String() string {
	if tools.HasStandIn(f.Version()) {
		return "a stand-in for flanneld " + f.Version()
	}
	return "flannel " + f.Version()
}

// install starts flanneld on every node for the first time, as flannel's package for hosts does: options stand in
// /etc/sysconfig/flanneld, and each start generates Docker's.
func (f *flannel) install(ctx context.Context, p programs) error {
	return f.each(ctx, f.lab.nodes, func(ctx context.Context, n *node) error {
		service := agent.Service{
			Name: flanneldService, Env: []string{"NODE_NAME=" + n.name}, Notify: true, EnvironmentFiles: []string{flanneldOptions},
			Argv: slices.Concat(p.flanneld, []string{
				"--etcd-endpoints=" + f.lab.etcd.endpoint(), "--subnet-file=" + subnetFile, "--iface=eth0", "$FLANNEL_OPTIONS",
			}),
			Files: map[string]string{
				flanneldOptions: "FLANNEL_OPTIONS=\"--ip-masq\"\n",
				// flanneld asks for the subnet that it finds here, as it does after a restart of the node.
				subnetFile: fmt.Sprintf("FLANNEL_NETWORK=%s\nFLANNEL_SUBNET=%s\n", f.lab.site.PodNetwork, withBits(n.subnet().Addr().Next(), 24)),
			},
		}
		if f.lab.record.Pods == lab.DockerBridge {
			service.StartPost = []string{"sh", p.dockerOptions, "-k", "DOCKER_NETWORK_OPTIONS", "-d", dockerOptions}
		}
		if _, err := n.client().Put(ctx, service); err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
		return nil
	})
}

// Running lists the nodes on which flanneld runs.
func (f *flannel) Running(ctx context.Context) ([]string, error) {
	return f.which(ctx, func(s agent.Status) bool { return s.Running })
}

// Starting lists the nodes on which flanneld runs and is not ready yet.
func (f *flannel) Starting(ctx context.Context) ([]string, error) {
	return f.which(ctx, func(s agent.Status) bool { return s.Starting })
}

// which lists the nodes whose flanneld is as asked for.
func (f *flannel) which(ctx context.Context, is func(agent.Status) bool) ([]string, error) {
	names := make([]string, len(f.lab.nodes))
	err := f.each(ctx, f.lab.nodes, func(ctx context.Context, n *node) error {
		services, err := n.client().Services(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
		for _, s := range services {
			if s.Name == flanneldService && is(s) {
				names[n.index] = n.name
			}
		}
		return nil
	})
	slices.Sort(names)
	return slices.DeleteFunc(names, func(name string) bool { return name == "" }), err
}

// Delete ends flanneld everywhere.
func (f *flannel) Delete(ctx context.Context) error {
	return f.each(ctx, f.lab.nodes, func(ctx context.Context, n *node) error {
		_, err := n.client().Act(ctx, flanneldService, "stop")
		if err != nil {
			return fmt.Errorf("%s: stop flanneld: %w", n.name, err)
		}
		return nil
	})
}

// Create starts flanneld on the named nodes where it does not run yet; where a start goes on, it waits for that.
func (f *flannel) Create(ctx context.Context, names ...string) error {
	var chosen []*node
	for _, name := range names {
		i := slices.IndexFunc(f.lab.nodes, func(n *node) bool { return n.name == name })
		if i < 0 {
			return fmt.Errorf("there is no node %q; the nodes are %s", name, strings.Join(f.lab.nodeNames(), ", "))
		}
		chosen = append(chosen, f.lab.nodes[i])
	}
	return f.each(ctx, chosen, func(ctx context.Context, n *node) error {
		if _, err := n.client().Act(ctx, flanneldService, "start"); err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
		return nil
	})
}

// ForgetLink has nothing to do: flannel keeps no link addresses but those of leases in etcd, and does not go by them.
func (f *flannel) ForgetLink(context.Context, string) error { return nil }

// ByHand are systemctl's commands.
func (f *flannel) ByHand(string) lab.ByHand {
	return lab.ByHand{
		Restart: "systemctl restart " + flanneldService, Stop: "systemctl stop " + flanneldService, Start: "systemctl start " + flanneldService,
	}
}

// DropLease deletes a node's lease from etcd, as when it expires or somebody deletes it. Today's flanneld ends there when it sees that.
func (f *flannel) DropLease(ctx context.Context, name string) error {
	i := slices.Index(f.lab.nodeNames(), name)
	if i < 0 {
		return fmt.Errorf("there is no node %q", name)
	}
	return f.lab.etcd.remove(ctx, leaseKey(f.lab.nodes[i]))
}

func (f *flannel) each(ctx context.Context, nodes []*node, do func(context.Context, *node) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, n := range nodes {
		group.Go(func() error { return do(ctx, n) })
	}
	return group.Wait()
}

func (l *Lab) nodeNames() []string {
	names := make([]string, len(l.nodes))
	for i, n := range l.nodes {
		names[i] = n.name
	}
	return names
}
