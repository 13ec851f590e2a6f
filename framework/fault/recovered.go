package fault

import (
	"context"
	"fmt"
	"time"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/probe"
)

const (
	// holdFor is how long probes must go on passing before a network counts as healed.
	holdFor = time.Second
	// holdPace is the time between two rounds of them: enough to see a fault come back, without filling conntrack.
	holdPace = 250 * time.Millisecond
)

// Hold calls round for as long as traffic must go on passing before a network counts as healed, and stops at its first error.
func Hold(ctx context.Context, round func(context.Context) error) error {
	pace := time.NewTicker(holdPace)
	defer pace.Stop()
	for deadline := time.Now().Add(holdFor); time.Now().Before(deadline); {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-pace.C:
		}
		if err := round(ctx); err != nil {
			return err
		}
	}
	return nil
}

// recovered wants every probe to pass, and to go on passing.
func (l *Life) recovered(ctx context.Context) error {
	if err := l.probesPass(ctx); err != nil {
		return err
	}
	if _, err := l.exercise(ctx, false); err != nil {
		return err
	}
	var last []evidence.Probe
	rounds, retried := 0, 0
	err := Hold(ctx, func(ctx context.Context) error {
		results, err := l.in().probe(ctx, l.Lab)
		if err != nil {
			return err
		}
		if err := probe.AllPass(l.Lab, results); err != nil {
			return fmt.Errorf("healed, but not for long: %w", err)
		}
		retried += probe.Retried(results)
		last = results
		rounds++
		return nil
	})
	if err != nil {
		return err
	}
	if l.Scenario.Show != nil {
		for _, line := range l.Scenario.Show(l.Lab, last) {
			l.say(line)
		}
	}
	l.say(fmt.Sprintf("and %d rounds more; %d probes needed a second connection", rounds, retried))
	return nil
}
