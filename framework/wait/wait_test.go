package wait

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestUntilReturnsWhenTheConditionHolds(t *testing.T) {
	calls := 0
	err := Until(t.Context(), time.Minute, "three calls", func(context.Context) error {
		if calls++; calls < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil || calls != 3 {
		t.Errorf("error %v after %d calls", err, calls)
	}
}

func TestUntilTellsTheLastReason(t *testing.T) {
	err := Until(t.Context(), 20*time.Millisecond, "a miracle", func(context.Context) error { return errors.New("no miracle") })
	if err == nil || !strings.Contains(err.Error(), "a miracle") || !strings.Contains(err.Error(), "no miracle") {
		t.Errorf("error %v names neither what was waited for nor why it did not come", err)
	}
}

func TestUntilStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := Until(ctx, time.Minute, "nothing", func(context.Context) error { cancel(); return errors.New("still nothing") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want it to be context.Canceled", err)
	}
}

// A look that lasts longer than the limit is made to its end, and what it says is told; none begins after it.
func TestLooksAreMadeToTheirEnd(t *testing.T) {
	looks := 0
	err := Looks(t.Context(), time.Millisecond, "a sight", func(ctx context.Context) error {
		looks++
		limit, cancel := Patience(ctx, 100*time.Millisecond)
		defer cancel()
		<-limit.Done()
		return errors.Join(ctx.Err(), errors.New("nothing to be seen"))
	})
	if err == nil || err.Error() != "waiting for a sight: not within 1ms: nothing to be seen" || looks != 1 {
		t.Errorf("%v after %d looks", err, looks)
	}
	if err := Looks(t.Context(), time.Millisecond, "a sight", func(ctx context.Context) error {
		limit, cancel := Patience(ctx, 100*time.Millisecond)
		defer cancel()
		<-limit.Done()
		return ctx.Err()
	}); err != nil {
		t.Errorf("a look that shows it late: %v", err)
	}
}

func TestLooksStopWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := Looks(ctx, time.Minute, "nothing", func(context.Context) error { cancel(); return errors.New("still nothing") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want it to be context.Canceled", err)
	}
}
