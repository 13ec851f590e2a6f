package fault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/probe"
	"github.com/netfault/netfault/framework/wait"
)

// endsAt returns until when the fault surely stays in force if nobody heals it, as the lab is now; the zero time for a fault
// that stays for good. It is an error if that is not sure: then nothing would show that it was the remedy that healed.
func (l *Life) endsAt(ctx context.Context) (time.Time, error) {
	if l.Scenario.Lasts == nil {
		return time.Time{}, nil
	}
	asked := time.Now()
	left, err := l.Scenario.Lasts(ctx, l.Lab)
	if err != nil {
		return time.Time{}, l.orEnded(fmt.Errorf("what heals now need not be the remedy: %w", err))
	}
	l.say(fmt.Sprintf("the fault is in force, and left alone would be for %v more at least", left))
	return asked.Add(left), nil
}

// healsBefore wants every probe to pass before the fault could have ended by itself.
func (l *Life) healsBefore(ctx context.Context, end time.Time) error {
	if end.IsZero() {
		return nil
	}
	err := wait.Until(ctx, time.Until(end), "every probe to pass before the fault could end by itself", func(ctx context.Context) error {
		results, err := l.in().probe(ctx, l.Lab)
		return errors.Join(err, probe.AllPass(l.Lab, results))
	})
	if err == nil && time.Now().After(end) {
		err = errors.New("every probe passes, but the fault could have ended by itself meanwhile")
	}
	if err == nil {
		l.say("every probe passes, before it could")
	}
	return err
}

// orEnded adds to an error about the fault what to do if it has ended by itself, where it can.
func (l *Life) orEnded(err error) error {
	if err == nil || l.Scenario.Lasts == nil {
		return err
	}
	return fmt.Errorf("%w; this fault ends by itself after a while, and may have: `%s`, and inject it again", err, lab.Command(l.Lab.Name(), "reset"))
}
