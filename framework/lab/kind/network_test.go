package kind

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// One makes what is missing, and the others find it there.
func TestTurn(t *testing.T) {
	dir := t.TempDir()
	var there atomic.Bool
	var making, made atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			done, err := turn(t.Context(), dir, "the other", func(string) {}, there.Load)
			if err != nil {
				t.Error(err)
				return
			}
			if !there.Load() {
				if making.Add(1) > 1 {
					t.Error("two make it at once")
				}
				made.Add(1)
				there.Store(true)
				making.Add(-1)
			}
			if err := done(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := made.Load(); n != 1 {
		t.Errorf("%d have made it", n)
	}
}

// Who failed to make it leaves it to the next; and who waits can be ended.
func TestTurnGoesOn(t *testing.T) {
	dir := t.TempDir()
	never := func() bool { return false }
	var said []string
	say := func(line string) { said = append(said, line) }
	first, err := turn(t.Context(), dir, "the first", say, never)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := turn(ctx, dir, "the first", say, never); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the first") {
		t.Errorf("a second that is ended while it waits: %v", err)
	}
	if err := first(); err != nil {
		t.Fatal(err)
	}
	if len(said) != 1 || said[0] != "waiting for the first" {
		t.Errorf("the second says %q, want once for whom it waits", said)
	}
	second, err := turn(t.Context(), dir, "the first", say, never)
	if err != nil {
		t.Fatal(err)
	}
	if err := second(); err != nil {
		t.Fatal(err)
	}
}
