package detectors_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netfault/netfault/detectors"
)

var day = time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC)

func suppress(t *testing.T, r *detectors.Report, now time.Time, lines ...string) {
	t.Helper()
	all, err := detectors.ReadSuppressions(strings.NewReader("# known\n\n"+strings.Join(lines, "\n")+"\n"), "known.txt")
	if err != nil {
		t.Fatal(err)
	}
	r.Suppress(all, now)
}

func TestSuppressedDoesNotCount(t *testing.T) {
	report := func() detectors.Report {
		return run(
			says("cause", detectors.Cause, problem("n2", "n1", detectors.LostBetween("n1", "n2")...)),
			says("symptom", detectors.Symptom, problem("n1", "n2", lost("n1", "n2")), problem("n3", "n1", lost("n3", "n1"))),
			says("blind", detectors.Cause, detectors.Finding{Verdict: detectors.Unknown, Node: "n4"}),
		)
	}
	const cause = "cause/*/n2/* until 2026-12-31: known since May"
	for _, test := range []struct {
		name  string
		now   time.Time
		lines []string
		// marked are the IDs that are suppressed.
		marked []string
		exit   int
	}{
		{"what follows from it goes with it", day, []string{cause}, []string{"cause/broken/n2/n1", "symptom/broken/n1/n2"}, 1},
		{"all", day, []string{cause, "symptom/broken/n3/n1 until 2027-01-01: x", "blind/unknown/n4/- until 2027-01-01: x"},
			[]string{"cause/broken/n2/n1", "symptom/broken/n1/n2", "symptom/broken/n3/n1", "blind/unknown/n4/-"}, 0},
		{"the last day is over", day.Add(time.Hour), []string{cause}, nil, 1},
		{"another node", day, []string{"cause/*/n1/* until 2026-12-31: x"}, nil, 1},
		{"the unknown is left", day, []string{cause, "symptom/*/*/* until 2026-12-31: x"},
			[]string{"cause/broken/n2/n1", "symptom/broken/n1/n2", "symptom/broken/n3/n1"}, 2},
	} {
		r := report()
		suppress(t, &r, test.now, test.lines...)
		var marked []string
		for _, f := range r.Findings {
			if f.Suppressed != nil {
				marked = append(marked, f.ID)
			}
		}
		if !slices.Equal(marked, test.marked) {
			t.Errorf("%s: suppressed are %q, want %q", test.name, marked, test.marked)
		}
		if got := r.ExitCode(detectors.FailOnUnknown); got != test.exit {
			t.Errorf("%s: exit code %d, want %d", test.name, got, test.exit)
		}
	}
}

func TestSuppressionsAreTold(t *testing.T) {
	r := run(says("cause", detectors.Cause, problem("n2", "n1")))
	suppress(t, &r, day.Add(time.Hour), "cause/*/*/* until 2026-12-31: known", "cause/*/n7/* until 2027-12-31: typed wrongly")
	want := []detectors.Suppression{
		{ID: "cause/*/*/*", Until: "2026-12-31", Reason: "known", Ended: true, Matches: 1},
		{ID: "cause/*/n7/*", Until: "2027-12-31", Reason: "typed wrongly"},
	}
	if !slices.Equal(r.Suppressions, want) {
		t.Errorf("got %+v", r.Suppressions)
	}
}

func TestSuppressionsThatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		"a/*/n1/*":                          "no end date",
		"a/*/n1/* until 2026-12-31":         "no reason",
		"a/*/n1/* until 2026-12-31: ":       "no reason",
		"a/*/n1/* until 2026-13-31: x":      "no such day",
		"a/* until 2026-12-31: x":           "four parts",
		"a b/*/*/* until 2026-12-31: x":     "four parts",
		"a/[/n1/* until 2026-12-31: x":      "cannot be read",
		"\x1b[31m/*/n1/* til 2026-12-31: x": "no end date",
	} {
		_, err := detectors.ReadSuppressions(strings.NewReader("# one\n"+text+"\n"), "known.txt")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "known.txt, line 2") || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
