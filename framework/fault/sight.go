package fault

import (
	"context"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
)

// Sight is what one look at the lab shows, whatever state it is in.
type Sight struct {
	Probes []evidence.Probe
	// Seen is what the scenario's own traffic saw, if it has any.
	Seen   Seen
	Report detectors.Report
}

// Look sends the scenario's own traffic, takes a bundle of that name of what is then, and judges it. It expects nothing.
func (l *Life) Look(ctx context.Context, bundle string) (Sight, error) {
	var s Sight
	var err error
	if s.Seen, err = l.send(ctx); err != nil {
		return s, err
	}
	if s.Probes, err = l.take(ctx, bundle, s.Seen); err != nil {
		return s, err
	}
	s.Report, err = l.judge(ctx)
	return s, err
}
