package kind

import (
	"context"
	"fmt"
)

// UpBare makes the cluster of a lab as `kind create cluster` would with the lab's configuration, and nothing in it: what labs
// are measured against. Remove removes it, whether or not it failed.
func UpBare(ctx context.Context, o Options) error {
	if err := o.complete(); err != nil {
		return err
	}
	l, log, err := prepare(ctx, &o)
	if err != nil {
		return err
	}
	if err := l.claim(o); err != nil {
		return err
	}
	if err := l.createCluster(ctx, o); err != nil {
		return fmt.Errorf("%w%s", err, log.end())
	}
	return nil
}
