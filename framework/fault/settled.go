package fault

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/netfault/netfault/framework/undo"
	"github.com/netfault/netfault/framework/wait"
)

// settlePause is the time between the two looks. flanneld writes what follows from a lease as soon as it hears of it.
const settlePause = 250 * time.Millisecond

// settled waits until what network programs write does not change between two looks, and until every flanneld is past its start: evidence
// that is taken earlier shows what nobody would see a moment later. What is judged then is judged once.
func (l *Life) settled(ctx context.Context) error {
	return wait.Until(ctx, l.patience(), "the lab to settle", func(ctx context.Context) error {
		starting, err := l.Lab.Flannel().Starting(ctx)
		if err != nil {
			return err
		}
		if len(starting) > 0 {
			return fmt.Errorf("flanneld is not ready yet on %s", strings.Join(starting, ", "))
		}
		before, err := l.in().glance(ctx, l.Lab)
		if err != nil {
			return err
		}
		pause := time.NewTimer(settlePause)
		defer pause.Stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-pause.C:
		}
		now, err := l.in().glance(ctx, l.Lab)
		if err != nil {
			return err
		}
		if changes := undo.Diff(before, now); len(changes) > 0 {
			return fmt.Errorf("%d changes within %v, such as %s", len(changes), settlePause, changes[0])
		}
		return nil
	})
}
