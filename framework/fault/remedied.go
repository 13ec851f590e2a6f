package fault

import (
	"context"
	"fmt"

	"github.com/netfault/netfault/detectors"
)

// remedied judges the state as it is after what was tried, and runs what the findings say. The fault may show in another case
// by then, but no other detector of a cause may speak up.
func (l *Life) remedied(ctx context.Context) error {
	if l.fresh == "" {
		if err := l.look(ctx, "remedied", true); err != nil {
			return err
		}
	}
	report, err := l.judge(ctx)
	if err != nil {
		return err
	}
	l.fresh = ""
	problems, err := l.onlyOwn(report)
	if err != nil {
		return err
	}
	if err := explained(report); err != nil {
		return err
	}
	if len(problems) == 0 {
		return l.orEnded(fmt.Errorf("%s reports no problem any more, so that there is no remedy to run", l.Scenario.Detector.Name))
	}
	end, err := l.endsAt(ctx)
	if err != nil {
		return err
	}
	var remedies []detectors.Command
	for _, f := range problems {
		l.say(f.Detector + ": " + f.Summary)
		remedy, err := l.remedyOf(f)
		if err != nil {
			return err
		}
		remedies = append(remedies, remedy...)
	}
	if len(remedies) == 0 {
		return fmt.Errorf("%s names no remedy for what it reports", l.Scenario.Detector.Name)
	}
	if err := l.runCommands(ctx, remedies); err != nil {
		return err
	}
	return l.healsBefore(ctx, end)
}

// remedyOf returns the remedy to run: the finding's first, or the alternative that was asked for.
func (l *Life) remedyOf(f detectors.Finding) ([]detectors.Command, error) {
	if l.Remedy == "" {
		return f.Remedy, nil
	}
	var names []string
	for _, a := range f.Alternatives {
		if a.Name == l.Remedy {
			return a.Remedy, nil
		}
		names = append(names, a.Name)
	}
	return nil, fmt.Errorf("%s has no other remedy %q; it has: %q", f.Detector, l.Remedy, names)
}
