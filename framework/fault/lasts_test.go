package fault

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/lab"
)

// endsItself makes the fault end by itself after a while, which the scenario knows.
func (f *fake) endsItself(l *Life, after time.Duration) {
	var end time.Time
	inject := l.Scenario.Inject
	l.Scenario.Inject = func(ctx context.Context, lb lab.Lab, say func(string)) error {
		end = time.Now().Add(after)
		return inject(ctx, lb, say)
	}
	l.Scenario.Lasts = func(context.Context, lab.Lab) (time.Duration, error) {
		if left := time.Until(end); left > 0 {
			return left, nil
		}
		return 0, errors.New("it is over")
	}
	probes := l.world.probe
	l.world.probe = func(ctx context.Context, lb lab.Lab) ([]evidence.Probe, error) {
		if !end.IsZero() && time.Now().After(end) {
			f.broken = false
		}
		return probes(ctx, lb)
	}
}

// A fault that ends by itself must not be taken for one that the remedy has healed.
func TestFaultsThatEndByThemselves(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(f *fake, l *Life)
		// step is the last, and want in its error; empty for a life that passes.
		step, want string
	}{
		{"the remedy heals in time", func(f *fake, l *Life) { f.endsItself(l, 10*time.Second) }, "compared", ""},
		{"the fault ends, and the remedy does nothing", func(f *fake, l *Life) {
			f.heals = false
			f.endsItself(l, 3*time.Second)
		}, "remedied", "every probe to pass before the fault could end by itself: not within"},
		{"it is not sure how long the fault lasts", func(f *fake, l *Life) {
			l.Scenario.Lasts = func(context.Context, lab.Lab) (time.Duration, error) { return 0, errors.New("the kernel doubts it") }
		}, "remedied", "what heals now need not be the remedy: the kernel doubts it; this fault ends by itself"},
		{"the fault ends while something is tried", func(f *fake, l *Life) {
			l.Scenario.Attempts = aWish
			f.endsItself(l, 500*time.Millisecond)
		}, "tried", "passes but must fail; this fault ends by itself after a while, and may have"},
		{"the fault has ended before the remedy", func(f *fake, l *Life) {
			f.says = map[int]detectors.Finding{3: {Verdict: detectors.Clean, Judged: map[string]int{"nodes": 1}}}
			f.endsItself(l, time.Hour)
		}, "remedied", "reports no problem any more, so that there is no remedy to run; this fault ends by itself"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f := newFake()
				l := f.life(t)
				test.change(f, l)
				done, err := l.Run(t.Context(), l.Plan()...)
				last := done[len(done)-1]
				if last.Step != test.step || (err == nil) != (test.want == "") || !strings.Contains(last.Error, test.want) {
					t.Errorf("%s: %q, want %s: %q", last.Step, last.Error, test.step, test.want)
				}
			})
		})
	}
}

// What heals later than the fault could have ended by itself does not count, also where every probe passes then.
func TestRemedyThatIsTooSlow(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		l := f.life(t)
		l.world.probe = func(context.Context, lab.Lab) ([]evidence.Probe, error) {
			<-time.After(2 * time.Second)
			return f.probes(), nil
		}
		if err := l.healsBefore(t.Context(), time.Now().Add(time.Second)); err == nil || !strings.Contains(err.Error(), "could have ended by itself") {
			t.Errorf("got %v", err)
		}
	})
}
