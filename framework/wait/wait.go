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
	ctx, cancel := Patience(ctx, limit)
	defer cancel()
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
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w: %w", what, context.Cause(ctx), last)
		case <-ticker.C:
		}
	}
}
