package scenarios_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/training"
	"github.com/netfault/netfault/framework/training/page/pagetest"
)

// classLearners are as many as a course of two pairs of people has.
const classLearners = 4

// keyEvery is how fast somebody types who types fast.
const keyEvery = 100 * time.Millisecond

// BenchmarkClass has learners work at once on one machine: each has the page open, which probes each second, and types all the time.
// They check at the same moment, first what is broken and then what is healed. It tells how long the slowest waited for the answer, and
// how long keys took to come back, in the middle and of one in a hundred.
func BenchmarkClass(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("labs need root: make bench")
	}
	RegisterFailHandler(func(message string, _ ...int) { b.Fatal(message) })
	for b.Loop() {
		class(b)
	}
	b.ReportMetric(0, "ns/op")
}

func class(b *testing.B) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	k := killed{store: training.Store{Dir: b.TempDir()}, name: fmt.Sprintf("bench-class-%d", os.Getpid()), learners: classLearners}
	b.Setenv(training.DirVariable, k.store.Dir)
	server, err := start(ctx, b.TempDir(), []string{"train", "serve", "lisbon", "--site=" + k.name, fmt.Sprintf("--learners=%d", k.learners), "--seed=1"})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := server.cmd.Process.Signal(os.Interrupt); err != nil {
			b.Error(err)
		}
		<-server.over // it removes the labs
		for i := range k.learners {
			if err := (labs.Found{Kind: labs.Netns, Name: k.lab(i)}).Remove(context.WithoutCancel(ctx)); err != nil {
				b.Error(err)
			}
		}
	}()
	addresses, err := server.addresses(ctx, k.learners+1) // one is who instructs's
	if err != nil {
		b.Fatal(err)
	}
	typing, stop := context.WithCancel(ctx)
	var typists sync.WaitGroup
	echoes := make([][]time.Duration, k.learners)
	windows := make([]*pagetest.Socket, k.learners)
	for i := range k.learners {
		if windows[i], err = pagetest.Dial(ctx, addresses[i], "live", nil); err != nil {
			b.Fatal(err)
		}
		defer windows[i].CloseNow()
		typists.Go(func() { echoes[i] = k.keys(typing, addresses[i], i) })
	}
	broken := slowest(b, windows, func(i int) error { return askedFor(ctx, windows[i], training.Broken) })
	for i := range k.learners {
		if err := k.solves(ctx, addresses[i], i); err != nil {
			b.Fatal(err)
		}
	}
	healed := slowest(b, windows, func(i int) error { return askedFor(ctx, windows[i], training.Healed) })
	stop()
	typists.Wait()
	all := slices.Sorted(slices.Values(slices.Concat(echoes...)))
	if len(all) < 100 {
		b.Fatalf("%d keys came back", len(all))
	}
	b.ReportMetric(broken.Seconds(), "check-broken-s")
	b.ReportMetric(healed.Seconds(), "check-healed-s")
	b.ReportMetric(milliseconds(all[len(all)/2]), "key-ms")
	b.ReportMetric(milliseconds(all[len(all)*99/100]), "key-slowest-percent-ms")
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// askedFor asks whether it is healed.
func askedFor(ctx context.Context, window *pagetest.Socket, want training.Verdict) error {
	var got struct {
		OK struct {
			Verdict training.Verdict
			Lines   []string
		}
	}
	if err := askPage(ctx, window, "check", &got); err != nil {
		return err
	}
	if got.OK.Verdict != want {
		return fmt.Errorf("it is %s, not %s: %v", got.OK.Verdict, want, got.OK.Lines)
	}
	return nil
}

// slowest does something for all windows at once, and returns how long the last took.
func slowest(b *testing.B, windows []*pagetest.Socket, do func(i int) error) time.Duration {
	b.Helper()
	begun, failed := time.Now(), make([]error, len(windows))
	var group sync.WaitGroup
	for i := range windows {
		group.Go(func() { failed[i] = do(i) })
	}
	group.Wait()
	took := time.Since(begun)
	for _, err := range failed {
		if err != nil {
			b.Fatal(err)
		}
	}
	return took
}

// keys types into a terminal of the page, and returns how long each key took to be shown.
func (k killed) keys(ctx context.Context, address string, i int) (all []time.Duration) {
	faulty, err := faultyIn(k.storeOf(i))
	if err != nil {
		return nil
	}
	shell, err := pagetest.Dial(ctx, address, "terminal", map[string]any{"machine": faulty.Values["n2"], "size": map[string]int{"columns": 120, "rows": 30}})
	if err != nil {
		return nil
	}
	defer shell.CloseNow()
	until := func(shown string) bool {
		for {
			_, data, err := shell.Read(ctx)
			if err != nil {
				return false
			}
			if bytes.Contains(data, []byte(shown)) {
				return true
			}
		}
	}
	if !until("# ") {
		return nil
	}
	pace := time.NewTicker(keyEvery)
	defer pace.Stop()
	for n := 0; ; n++ {
		// A line that is long is shown otherwise: it is taken back (Ctrl-U), and begun anew.
		key := string(rune('a' + n%26))
		begun := time.Now()
		if shell.Type(ctx, key) != nil || !until(key) {
			return all
		}
		all = append(all, time.Since(begun))
		if n%26 == 25 && shell.Type(ctx, "\x15") != nil {
			return all
		}
		select {
		case <-ctx.Done():
			return all
		case <-pace.C:
		}
	}
}
