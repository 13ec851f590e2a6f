package fault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/netfault/netfault/detectors"
)

// commandsLimit is how long the commands of a remedy that is tried out may take together.
const commandsLimit = time.Minute

// Heals runs somebody's remedy, as it is printed, on the lab with the fault in force, and returns why that does not heal; nothing if
// it does: every probe passes, goes on passing, and the scenario's own traffic works. The error is that this cannot be told.
func (l *Life) Heals(ctx context.Context, remedy []detectors.Command) (why string, err error) {
	end, err := l.endsAt(ctx)
	if err != nil {
		return "", err
	}
	limited, cancel := context.WithTimeoutCause(ctx, commandsLimit, fmt.Errorf("its commands do not end within %v", commandsLimit))
	defer cancel()
	failed := l.runCommands(limited, remedy)
	if limited.Err() != nil {
		failed = context.Cause(limited)
	}
	if failed == nil {
		failed = l.healsBefore(ctx, end)
	}
	if failed == nil {
		failed = l.recovered(ctx)
	}
	if ctx.Err() != nil {
		return "", errors.Join(context.Cause(ctx), failed)
	}
	if failed != nil {
		return failed.Error(), nil
	}
	return "", nil
}
