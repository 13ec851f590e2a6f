package undo

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
)

// forgetLearned has every node forget the neighbours that its kernel has learned. They are no part of the state, since they come
// and go with traffic; but while the fault was in force they were learned of links that have other addresses now, and flannel up
// to v0.8 lets such an entry stand until the kernel gives it up.
func forgetLearned(ctx context.Context, l lab.Lab) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, n := range l.Nodes() {
		group.Go(func() error {
			// It leaves permanent entries and those that need no resolution alone (ip-neighbour(8)).
			_, err := machine.Output(ctx, n, "ip", "-4", "neigh", "flush", "all")
			return err
		})
	}
	return group.Wait()
}
