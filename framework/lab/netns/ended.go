package netns

import (
	"context"
	"fmt"
	"time"

	"github.com/netfault/netfault/framework/wait"
)

// whileAllRuns is wait.Until for a lab that comes up, in which every service is to run: with one that has ended there is nothing to
// wait for.
func (l *Lab) whileAllRuns(ctx context.Context, limit time.Duration, what string, condition func(context.Context) error) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	return wait.Until(ctx, limit, what, func(ctx context.Context) error {
		err := condition(ctx)
		if err != nil {
			if ended := l.ended(ctx); ended != nil {
				end(ended)
			}
		}
		return err
	})
}

// ended returns an error that names a service that has ended, and how. What cannot be asked is not known to have ended.
func (l *Lab) ended(ctx context.Context) error {
	places := []*place{l.outside.Machine.(*place)}
	for _, n := range l.nodes {
		places = append(places, n.place)
	}
	for _, p := range places {
		services, err := p.client().Services(ctx)
		if err != nil {
			continue
		}
		for _, s := range services {
			if s.Running || s.Exit == "" {
				continue
			}
			if s.Exit == "signal: killed" {
				s.Exit += ", as the kernel does where memory runs out"
			}
			return fmt.Errorf("%s on %s has ended (%s)", s.Name, p.name, s.Exit)
		}
	}
	return nil
}
