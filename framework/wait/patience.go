package wait

import (
	"context"
	"fmt"
	"time"
)

// beat is how long a beat lasts where this process gets the processor when it is due; shorter limits are one beat.
const beat = 25 * time.Millisecond

// tooLong says which limit has passed. It is a context.DeadlineExceeded.
type tooLong time.Duration

func (t tooLong) Error() string        { return fmt.Sprintf("not within %v", time.Duration(t)) }
func (t tooLong) Is(target error) bool { return target == context.DeadlineExceeded }

// Patience is context.WithTimeout in beats of this process: those for which a busy machine has no time do not count, since what is
// waited for has to wait for the processor as well. It is never shorter than the limit by the clock. The context has no
// Deadline; its cause says the limit, and is a context.DeadlineExceeded.
func Patience(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ticker := time.NewTicker(min(beat, max(limit, 1))) // it drops the beats for which nobody was ready
	ctx, cancel := withBeats(ctx, ticker.C, max(1, int(limit/beat)), tooLong(limit))
	return ctx, func() {
		ticker.Stop()
		cancel()
	}
}

// withBeats ends the context for that cause with the n-th beat.
func withBeats(ctx context.Context, beats <-chan time.Time, n int, cause error) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		for range n {
			select {
			case <-ctx.Done():
				return
			case <-beats:
			}
		}
		cancel(cause)
	}()
	return ctx, func() { cancel(context.Canceled) }
}
