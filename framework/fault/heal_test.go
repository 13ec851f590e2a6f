package fault

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/lab"
)

// Somebody may have healed the fault, all of it or a part, before `fault heal`.
func TestHealWhatIsLeft(t *testing.T) {
	const all = "left tried remedied recovered clean undone compared"
	for _, test := range []struct {
		name string
		// change is what happens between the injection and the heal.
		change func(f *fake, l *Life)
		// steps are those that are run, said is in their details, and ran are the commands.
		steps, said string
		ran         []string
		// fails is in the error, if there is one.
		fails string
	}{
		{"all", func(*fake, *Life) {}, all, "all of it", []string{"n1# wish", "n1# mend link"}, ""},
		{"nothing", func(f *fake, _ *Life) { f.broken = false }, "left recovered clean undone compared", "it is healed already", nil, ""},
		{"nothing, with an alternative asked for", func(f *fake, l *Life) { f.broken, l.Remedy = false, "another" },
			"left recovered clean undone compared", "it is healed already", nil, ""},
		{"a part, as the findings say", func(f *fake, _ *Life) {
			other := reported
			other.Case = "other"
			f.says = map[int]detectors.Finding{3: other, 4: other}
		}, "left remedied recovered clean undone compared", "a part: 2 of 3 probes fail", []string{"n1# mend link"}, ""},
		{"a part, as the probes say", func(f *fake, _ *Life) { f.onlyExercise = true },
			"left remedied recovered clean undone compared", "a part: 0 of 3 probes fail", []string{"n1# mend link"}, ""},
		{"a part, as traffic says", func(f *fake, l *Life) {
			l.Scenario.Exercise = func(context.Context, lab.Lab) (Seen, error) { return Seen{}, nil }
		}, "left remedied recovered clean undone compared", "a part: ", []string{"n1# mend link"}, ""},
		{"no finding, although probes fail", func(f *fake, _ *Life) {
			f.says = map[int]detectors.Finding{3: {Verdict: detectors.Clean, Judged: map[string]int{"nodes": 2}}}
		}, "left recovered", "no remedy to run; but 2 of 3 probes fail", nil, "2 of 3 probes failed"},
		{"unknown", func(f *fake, _ *Life) {
			f.says = map[int]detectors.Finding{3: {Verdict: detectors.Unknown, Summary: "too dark"}}
		}, "left", "", nil, "broken-link does not know: too dark"},
		{"another cause", func(f *fake, l *Life) { l.Detectors = append(l.Detectors, f.busybody(1)) }, "left", "", nil,
			"busybody is not silent: problem: me too"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f := newFake()
				l := f.life(t)
				l.Scenario.Attempts = aWish
				if _, err := l.Run(t.Context(), l.Inject()...); err != nil {
					t.Fatal(err)
				}
				l = f.life(t)
				l.Scenario.Attempts = aWish
				test.change(f, l)
				done, err := l.Heal(t.Context())
				var steps, said []string
				for i, r := range done {
					steps, said = append(steps, r.Step), append(said, r.Details...)
					if r.Error != "" && i < len(done)-1 {
						t.Errorf("%s failed, and steps follow", r.Step)
					}
				}
				if got := strings.Join(steps, " "); got != test.steps {
					t.Errorf("steps are %q, want %q", got, test.steps)
				}
				if !strings.Contains(strings.Join(said, "\n"), test.said) {
					t.Errorf("%q is not said: %q", test.said, said)
				}
				if !slices.Equal(f.ran, test.ran) {
					t.Errorf("commands are %q, want %q", f.ran, test.ran)
				}
				switch {
				case test.fails == "" && err != nil:
					t.Error(err)
				case test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)):
					t.Errorf("%v, want %q", err, test.fails)
				}
				if inForce := f.journal != nil; inForce != (test.fails != "") {
					t.Errorf("the journal is there: %v", inForce)
				}
			})
		})
	}
}
