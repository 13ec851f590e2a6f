// Package wait waits for conditions, never for a clock.
package wait

import (
	"context"
	"fmt"
	"time"
)

// pause between two looks at a condition: short, since every wait of the lab ends within milliseconds.
const pause = 5 * time.Millisecond

// Until calls condition until it returns nil, and at most for limit (Patience). What names the thing that is waited for; the
// error tells it with the condition's last word.
func Until(ctx context.Context, limit time.Duration, what string, condition func(context.Context) error) error {
	limited, cancel := Patience(ctx, limit)
	defer cancel()
	return until(limited, limited, what, condition)
}

// Looks is Until for looks that have limits of their own: one that has begun is made to its end, and after limit none begins. On a busy
// machine a single one may take longer than limit, and half of it tells nothing.
func Looks(ctx context.Context, limit time.Duration, what string, look func(context.Context) error) error {
	limited, cancel := Patience(ctx, limit)
	defer cancel()
	return until(limited, ctx, what, look)
}

// until calls condition with ctx until it returns nil, or limited, which ends no later, has ended.
func until(limited, ctx context.Context, what string, condition func(context.Context) error) error {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	var last error
	for {
		err := condition(ctx)
		if err == nil {
			return nil
		}
		// A condition that was cut off by the deadline has nothing new to tell.
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-limited.Done():
		case <-ticker.C:
		}
		// Where both have come, select takes either.
		if limited.Err() != nil {
			return fmt.Errorf("waiting for %s: %w: %w", what, context.Cause(limited), last)
		}
	}
}
