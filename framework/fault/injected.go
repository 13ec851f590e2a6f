package fault

import (
	"context"
	"fmt"
	"strings"
)

// recorded writes the undo journal, before anything is changed.
func (l *Life) recorded(ctx context.Context) error {
	j, err := l.in().begin(ctx, l.Lab, l.Scenario.Name)
	if err != nil {
		return err
	}
	l.say(fmt.Sprintf("state of %d machines, flanneld on %s", len(j.Before.Machines), strings.Join(j.Before.Flannel, " ")))
	return nil
}

// injected brings the fault about.
func (l *Life) injected(ctx context.Context) error {
	l.fresh = ""
	if err := l.Scenario.Inject(ctx, l.Lab, l.say); err != nil || l.Scenario.Then == nil {
		return err
	}
	// A flanneld that has just started does not watch its interface yet.
	if err := l.settled(ctx); err != nil {
		return err
	}
	return l.Scenario.Then(ctx, l.Lab, l.say)
}
