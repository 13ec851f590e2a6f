package agent

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestPatienceCountsBeats(t *testing.T) {
	beats := make(chan time.Time)
	ctx, cancel := withBeats(t.Context(), beats, 3)
	defer cancel()
	for range 2 {
		beats <- time.Time{}
	}
	if err := ctx.Err(); err != nil {
		t.Fatalf("%v after two of three beats", err)
	}
	beats <- time.Time{}
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ended by %v", err)
	}
}

func TestPatienceEndsWithTheWork(t *testing.T) {
	ctx, cancel := withPatience(t.Context(), time.Hour)
	cancel()
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("ended by %v", err)
	}
}
