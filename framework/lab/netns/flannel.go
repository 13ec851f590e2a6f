package netns

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/wait"
)

// subnetFile is flanneld's default --subnet-file.
const subnetFile = "/run/flannel/subnet.env"

// flanneldService is flanneld's name as a service of a node.
const flanneldService = "flanneld"

// flannel is the counterpart of flannel's DaemonSet: it says on which nodes flanneld runs.
type flannel struct{ lab *Lab }

func (f *flannel) Version() string { return f.lab.record.Flannel }

// install starts flanneld on every node for the first time.
func (f *flannel) install(ctx context.Context, program string) error {
	return f.each(ctx, f.lab.nodes, func(ctx context.Context, n *node) error {
		// flanneld asks for the subnet that it finds here, as it does after a restart of the node.
		memory := fmt.Sprintf("FLANNEL_NETWORK=%s\nFLANNEL_SUBNET=%s\n", podNetwork, withBits(n.subnet().Addr().Next(), 24))
		if err := n.do(func() error { return os.WriteFile(subnetFile, []byte(memory), 0o644) }); err != nil {
			return err
		}
		return f.launch(ctx, n, func() error {
			_, err := n.client().Put(ctx, agent.Service{
				Name: flanneldService, Env: []string{"NODE_NAME=" + n.name},
				Argv: []string{program, "--etcd-endpoints=" + f.lab.etcd.endpoint(), "--subnet-file=" + subnetFile, "--ip-masq", "--iface=eth0"},
			})
			return err
		})
	})
}

// launch starts flanneld by start and waits until it has written its subnet file anew, which is the last thing that
// flanneld does before it begins to watch leases (main.go, WriteSubnetFile).
func (f *flannel) launch(ctx context.Context, n *node, start func() error) error {
	before, err := n.stat(subnetFile)
	if err != nil {
		return err
	}
	if err := start(); err != nil {
		return fmt.Errorf("%s: %w", n.name, err)
	}
	return wait.Until(ctx, startLimit, "flanneld on "+n.name, func(ctx context.Context) error {
		services, err := n.client().Services(ctx)
		if err != nil {
			return err
		}
		for _, s := range services {
			if s.Name == flanneldService && !s.Running {
				return fmt.Errorf("it ended (%s): see %s/logs/%s/flanneld.log", s.Exit, f.lab.StateDir(), n.name)
			}
		}
		after, err := n.stat(subnetFile)
		if err != nil {
			return err
		}
		if os.SameFile(before, after) && before.ModTime().Equal(after.ModTime()) {
			return fmt.Errorf("%s is not written yet", subnetFile)
		}
		return nil
	})
}

func (p *place) stat(path string) (os.FileInfo, error) {
	var info os.FileInfo
	err := p.do(func() error {
		var err error
		info, err = os.Stat(path)
		return err
	})
	return info, err
}

// Running lists the nodes on which flanneld runs.
func (f *flannel) Running(ctx context.Context) ([]string, error) {
	running := make([]string, len(f.lab.nodes))
	err := f.each(ctx, f.lab.nodes, func(ctx context.Context, n *node) error {
		services, err := n.client().Services(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
		for _, s := range services {
			if s.Name == flanneldService && s.Running {
				running[n.index] = n.name
			}
		}
		return nil
	})
	return slices.DeleteFunc(running, func(name string) bool { return name == "" }), err
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

// Create starts flanneld on the named nodes where it does not run yet.
func (f *flannel) Create(ctx context.Context, names ...string) error {
	running, err := f.Running(ctx)
	if err != nil {
		return err
	}
	var chosen []*node
	for _, name := range names {
		i := slices.IndexFunc(f.lab.nodes, func(n *node) bool { return n.name == name })
		if i < 0 {
			return fmt.Errorf("there is no node %q; the nodes are %s", name, strings.Join(f.lab.nodeNames(), ", "))
		}
		if !slices.Contains(running, name) {
			chosen = append(chosen, f.lab.nodes[i])
		}
	}
	return f.each(ctx, chosen, func(ctx context.Context, n *node) error {
		return f.launch(ctx, n, func() error {
			_, err := n.client().Act(ctx, flanneldService, "start")
			return err
		})
	})
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
