package fault

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// tried runs what people try first, and shows that the symptom stays.
func (l *Life) tried(ctx context.Context) error {
	for i, a := range l.Scenario.Attempts(l.Lab) {
		l.say(a.Name + ":")
		l.fresh = ""
		if err := l.runCommands(ctx, a.Commands); err != nil {
			return err
		}
		broken, err := l.stays(ctx, a, TriedBundle(i))
		if err := l.orEnded(err); err != nil {
			return fmt.Errorf("%s: with %s: %w", a.Name, l.Lab.Flannel(), err)
		}
		l.say(fmt.Sprintf("does not heal with %s: %d fail, such as %s", l.Lab.Flannel(), len(broken), broken[0]))
	}
	return nil
}

// stays returns what fails after an attempt, a line each: probes, or the scenario's own traffic. Probes must go on failing for a
// while, since a remedy may take a moment to act. The evidence of it goes into a bundle.
func (l *Life) stays(ctx context.Context, a Attempt, bundle string) ([]string, error) {
	mustFail := l.Scenario.After(a).MustFail
	pace := time.NewTicker(holdPace)
	defer pace.Stop()
	for deadline := time.Now().Add(holdFor); ; <-pace.C {
		results, err := l.in().probe(ctx, l.Lab)
		if err != nil {
			return nil, err
		}
		broken, err := l.asExpected(results, mustFail)
		if err != nil {
			return nil, err
		}
		if time.Now().Before(deadline) {
			continue
		}
		seen, err := l.exercise(ctx, true)
		if err != nil {
			return nil, err
		}
		if broken = append(broken, seen.Broken...); len(broken) == 0 {
			return nil, errors.New("the scenario has neither probes that must fail nor traffic of its own, so that nothing can stay broken")
		}
		if results, err = l.take(ctx, bundle, seen); err != nil {
			return nil, err
		}
		_, err = l.asExpected(results, mustFail)
		return broken, err
	}
}
