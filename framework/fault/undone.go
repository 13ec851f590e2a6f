package fault

import (
	"context"
	"fmt"
	"strings"

	"github.com/netfault/netfault/framework/undo"
	"github.com/netfault/netfault/framework/wait"
)

// clean wants every detector to be silent again.
func (l *Life) clean(ctx context.Context) error { return l.allClean(ctx, HealedBundle) }

// undone restores what the journal says differs.
func (l *Life) undone(ctx context.Context) error {
	j, err := l.in().journal(l.Lab)
	if err != nil {
		return err
	}
	now, err := l.in().record(ctx, l.Lab)
	if err != nil {
		return err
	}
	for _, line := range undo.Diff(j.Before, now) {
		l.say(line)
	}
	return l.in().restore(ctx, l.Lab, j.Before, now)
}

// AfterUndo is a step for whoever wants evidence of the lab after the undo, too: it is not in the plan.
func (l *Life) AfterUndo() Step {
	return Step{Name: UndoneBundle, About: "every probe passes, and the evidence is taken once more", run: func(ctx context.Context) error {
		if err := l.probesPass(ctx); err != nil {
			return err
		}
		return l.look(ctx, UndoneBundle, false)
	}}
}

// compared closes the journal only once the state is seen to be what it was, and stays so.
func (l *Life) compared(ctx context.Context) error {
	j, err := l.in().journal(l.Lab)
	if err != nil {
		return err
	}
	if err := l.probesPass(ctx); err != nil {
		return err
	}
	err = wait.Until(ctx, l.patience(), "the state before the fault", func(ctx context.Context) error {
		now, err := l.in().record(ctx, l.Lab)
		if err != nil {
			return err
		}
		if left := undo.Diff(j.Before, now); len(left) > 0 {
			return fmt.Errorf("%d differences from before the fault:\n  %s", len(left), strings.Join(left, "\n  "))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return l.in().close(ctx, l.Lab)
}
