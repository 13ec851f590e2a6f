package agent

import (
	"context"
	"time"
)

// beat is how long a beat lasts where this process gets the processor when it is due.
const beat = 25 * time.Millisecond

// withPatience is context.WithTimeout in beats: those that a busy machine has no time for do not count. A probe would take a
// busy machine for a broken network otherwise, since who answers it waits for the processor as well.
func withPatience(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ticker := time.NewTicker(beat) // it drops the beats for which nobody was ready
	ctx, cancel := withBeats(ctx, ticker.C, int(limit/beat))
	return ctx, func() {
		ticker.Stop()
		cancel()
	}
}

// withBeats ends the context, as a deadline would, with the n-th beat.
func withBeats(ctx context.Context, beats <-chan time.Time, n int) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		for range n {
			select {
			case <-ctx.Done():
				return
			case <-beats:
			}
		}
		cancel(context.DeadlineExceeded)
	}()
	return ctx, func() { cancel(context.Canceled) }
}
