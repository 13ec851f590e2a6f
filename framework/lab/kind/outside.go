package kind

import (
	"context"
	"fmt"
	"strconv"

	"github.com/netfault/netfault/framework/lab"
)

// outsideName is the host outside the cluster.
const outsideName = "host"

func (l *Lab) outsideContainer() string { return l.cluster() + "-" + outsideName }

// startOutside makes the host outside: a container of the node image, for its tools, on kind's network, with
// netfault-agent in place of systemd. It has kind's label, so that it goes with the cluster.
func (l *Lab) startOutside(ctx context.Context, image, agent string) error {
	name := l.outsideContainer()
	create := []string{
		// As in kind's nodes, what the engine writes into /run is not seen.
		"create", "--name", name, "--hostname", outsideName, "--net", l.network(), "--privileged", "--tmpfs", "/run", "--entrypoint", l.Agent(),
		"--label", clusterLabel + "=" + l.cluster(), "--label", roleLabel + "=" + outsideRole,
		"--label", labLabel + "=" + l.name,
		image, "serve", "--name=" + outsideName, "--listen=:" + strconv.Itoa(lab.PodPort),
	}
	for _, args := range [][]string{create, {"cp", agent, name + ":" + l.Agent()}, {"start", name}} {
		if _, err := l.engine.Output(ctx, args...); err != nil {
			return fmt.Errorf("the host outside: %w", err)
		}
	}
	return nil
}

func (l *Lab) findOutside() error {
	all, err := l.provider.ListNodes(l.cluster())
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.String() != l.outsideContainer() {
			continue
		}
		address, err := containerAddress(c)
		if err != nil {
			return err
		}
		host := &container{Node: c, engine: l.engine, agent: l.Agent(), hasAgent: true}
		l.outside = lab.Host{Machine: &Place{name: outsideName, container: host}, Address: address}
		return nil
	}
	return fmt.Errorf("the host outside, container %s, is gone", l.outsideContainer())
}
