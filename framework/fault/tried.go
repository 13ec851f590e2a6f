package fault

import (
	"context"
	"fmt"
	"time"
)

// tried runs what people try first, and shows that the symptom stays.
func (l *Life) tried(ctx context.Context) error {
	for _, a := range l.Scenario.Attempts(l.Lab) {
		l.say(a.Name + ":")
		l.fresh = ""
		if err := l.runCommands(ctx, a.Commands); err != nil {
			return err
		}
		mustFail := a.MustFail
		if mustFail == nil {
			mustFail = l.Scenario.MustFail
		}
		// What fails must go on failing for a while, since a remedy may take a moment to act.
		pace := time.NewTicker(holdPace)
		defer pace.Stop()
		for deadline := time.Now().Add(holdFor); ; <-pace.C {
			results, err := l.in().probe(ctx, l.Lab)
			if err != nil {
				return err
			}
			broken, err := l.asExpected(results, mustFail)
			if err != nil {
				return fmt.Errorf("%s: with flannel %s: %w", a.Name, l.Lab.Flannel().Version(), err)
			}
			if time.Now().After(deadline) {
				l.say(fmt.Sprintf("does not heal with flannel %s: %d probes fail, such as %s", l.Lab.Flannel().Version(), len(broken), broken[0]))
				break
			}
		}
	}
	return nil
}
