package netns

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/netfault/netfault/framework/agent"
)

// dockerOptions is where flannel's unit for hosts puts Docker's options, and where Docker's unit reads them.
const dockerOptions = "/run/flannel/docker"

// dockerService is dockerd's name as a service of a node.
const dockerService = "docker"

// startDocker starts dockerd on every node, with the options that flannel generated. It makes docker0, on which the pods
// hang, and runs no containers.
func (l *Lab) startDocker(ctx context.Context, p programs) error {
	service := agent.Service{Name: dockerService, EnvironmentFiles: []string{dockerOptions}, Notify: true}
	if p.docker != nil {
		service.Env = p.docker.Env()
		service.Argv = []string{p.docker.Daemon(), "--data-root=/run/docker-data", "$DOCKER_NETWORK_OPTIONS"}
	} else {
		service.Argv = []string{p.agent, "dockerd", "$DOCKER_NETWORK_OPTIONS"}
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, n := range l.nodes {
		group.Go(func() error {
			if _, err := n.client().Put(ctx, service); err != nil {
				return fmt.Errorf("%s: %w", n.name, err)
			}
			return nil
		})
	}
	return group.Wait()
}
