package kind

import (
	"context"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/netfault/netfault/framework/lab/kind/nodeimage"
	"github.com/netfault/netfault/framework/machine"
)

// bridgePath is where containerd looks for the CNI plugin that flannel's delegates to.
const bridgePath = "/opt/cni/bin/bridge"

// installBridge puts the CNI plugin bridge into every node: kind's own node images lack it, the offline one has it.
func (l *Lab) installBridge(ctx context.Context) error {
	if _, err := machine.Output(ctx, l.nodes[0], "test", "-x", bridgePath); err == nil {
		return nil
	}
	path, err := nodeimage.BridgePlugin(ctx)
	if err != nil {
		return err
	}
	program, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, n := range l.nodes {
		group.Go(func() error { return n.install(ctx, bridgePath, program) })
	}
	return group.Wait()
}
