package kind

import (
	"context"
	"fmt"

	"github.com/netfault/netfault/framework/engine"
)

// UpBare makes the cluster of a lab as `kind create cluster` would with the lab's configuration, and nothing in it: what labs
// are measured against. Remove removes it, whether or not it failed.
func UpBare(ctx context.Context, o Options) error {
	if err := o.complete(); err != nil {
		return err
	}
	e, err := engine.Find(ctx)
	if err != nil {
		return err
	}
	log := &logger{progress: o.Progress}
	l := &Lab{name: o.Name, engine: e, provider: provider(e, log)}
	if o.Image == "" {
		if o.Image, err = FindImage(ctx, e, o.Progress); err != nil {
			return err
		}
	}
	if err := l.claim(); err != nil {
		return err
	}
	if err := l.createCluster(ctx, o); err != nil {
		return fmt.Errorf("%w%s", err, log.end())
	}
	return nil
}
