package wait

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestPatienceCountsBeats(t *testing.T) {
	beats := make(chan time.Time)
	ctx, cancel := withBeats(t.Context(), beats, 3, tooLong(time.Second))
	defer cancel()
	for range 2 {
		beats <- time.Time{}
	}
	if err := ctx.Err(); err != nil {
		t.Fatalf("%v after two of three beats", err)
	}
	beats <- time.Time{}
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, context.DeadlineExceeded) || err.Error() != "not within 1s" {
		t.Errorf("ended by %v", err)
	}
}

func TestPatienceLastsTheLimit(t *testing.T) {
	for _, limit := range []time.Duration{time.Millisecond, 100 * time.Millisecond} {
		begun := time.Now()
		ctx, cancel := Patience(t.Context(), limit)
		<-ctx.Done()
		cancel()
		if took := time.Since(begun); took < limit {
			t.Errorf("a limit of %v has passed after %v", limit, took)
		}
	}
}

func TestPatienceEndsWithTheWork(t *testing.T) {
	ctx, cancel := Patience(t.Context(), time.Hour)
	cancel()
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("ended by %v", err)
	}
}
