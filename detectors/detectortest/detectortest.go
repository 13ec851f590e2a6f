// Package detectortest holds a detector to what a good detector is, without its author's doing. A detector's test is
//
//	func TestDetector(t *testing.T) { detectortest.Run(t, Detector) }
//
// and its cases are files in testdata, of which each is a bundle and what must be said of it; `go test -update` writes the
// latter anew. For the form of a case see cases.Case; for each of the detector's cases, NAME.txtar is a bundle that emits it, and
// NAME-near.txtar one that nearly does.
package detectortest

import (
	"context"
	"encoding/json"
	"flag"
	"testing"
	"testing/fstest"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/cases"
)

var update = flag.Bool("update", false, "write into each case what the detector says of it")

// Run tests a detector with the cases in testdata.
func Run(t *testing.T, d detectors.Detector) {
	all := read(t)
	if len(all) == 0 {
		t.Fatal("no cases: testdata has no .txtar")
	}
	t.Run("says what it must", func(t *testing.T) {
		for _, c := range all {
			t.Run(c.Name, func(t *testing.T) { verdict(t, d, c) })
		}
	})
	t.Run("healthy is clean", func(t *testing.T) { healthyIsClean(t, d) })
	t.Run("quotes what is there", func(t *testing.T) {
		each(t, all, func(t *testing.T, c cases.Case) { quotations(t, d, c) })
	})
	t.Run("reads what it needs", func(t *testing.T) { needs(t, d, all) })
	t.Run("takes nothing missing for fine", func(t *testing.T) {
		each(t, all, func(t *testing.T, c cases.Case) { absence(t, d, c) })
	})
	t.Run("leaves others' files alone", func(t *testing.T) {
		each(t, append(all, cases.Case{Name: "healthy", Files: cases.Healthy()}), func(t *testing.T, c cases.Case) { undeclared(t, d, c) })
	})
	t.Run("goes by structure, not by names", func(t *testing.T) {
		each(t, all, func(t *testing.T, c cases.Case) { renaming(t, d, c) })
	})
	t.Run("says the same twice", func(t *testing.T) {
		each(t, all, func(t *testing.T, c cases.Case) { twice(t, d, c) })
	})
	t.Run("stops", func(t *testing.T) {
		each(t, all, func(t *testing.T, c cases.Case) { stops(t, d, c) })
	})
	t.Run("has a whole folder", func(t *testing.T) { tidy(t, d, all) })
}

func each(t *testing.T, all []cases.Case, test func(*testing.T, cases.Case)) {
	for _, c := range all {
		t.Run(c.Name, func(t *testing.T) { test(t, c) })
	}
}

// judge runs the detector over a bundle.
func judge(ctx context.Context, d detectors.Detector, files fstest.MapFS) []detectors.Finding {
	return detectors.Run(ctx, open(files), []detectors.Detector{d}).Findings
}

func verdict(t *testing.T, d detectors.Detector, c cases.Case) {
	found := judge(t.Context(), d, c.Files)
	got := Render(found)
	if *update {
		if err := c.SetWant(got); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != c.Want {
		t.Errorf("%s: got\n%s\nwant\n%s", c.Path, got, c.Want)
	}
	seen := map[string]bool{}
	for _, f := range found {
		wellFormed(t, d, f)
		if seen[f.ID] {
			t.Errorf("two findings have the ID %s", f.ID)
		}
		seen[f.ID] = true
	}
	wellComposed(t, found)
}

// wellFormed fails where f lacks what every finding of its verdict must have.
func wellFormed(t *testing.T, d detectors.Detector, f detectors.Finding) {
	t.Helper()
	problem := f.Verdict == detectors.Problem
	declared, known := d.CaseNamed(f.Case)
	switch {
	case f.Summary == "":
		t.Errorf("%s has no summary", f.ID)
	case problem && !known:
		t.Errorf("%s has a case that %s does not declare", f.ID, d.Name)
	case problem && f.Severity != declared.Severity && f.Severity != detectors.Warning:
		t.Errorf("%s is %s, declared %s", f.ID, f.Severity, declared.Severity)
	case problem && (f.Severity == "" || f.Node == "" || f.Expected == "" || f.Actual == ""):
		t.Errorf("%s lacks severity, node, expected or actual", f.ID)
	case !problem && (f.Severity != "" || f.Case != "" || len(f.Remedy) > 0):
		t.Errorf("%s is no problem, and has severity, case or remedy", f.ID)
	case (problem || f.Verdict == detectors.Unknown) && len(f.Evidence) == 0:
		t.Errorf("%s has no evidence", f.ID)
	case d.Kind == detectors.Symptom && len(f.Remedy) > 0:
		t.Errorf("%s is a symptom, and has a remedy", f.ID)
	}
	for _, s := range []string{f.Summary, f.Expected, f.Actual, f.Node, f.Peer} {
		if s != detectors.OneLine(s) {
			t.Errorf("%s: %q is no line", f.ID, s)
		}
	}
	for _, l := range f.Evidence {
		if l.File == "" || l.Text == "" || l.Text != detectors.OneLine(l.Text) {
			t.Errorf("%s: evidence %+v", f.ID, l)
		}
	}
}

// wellComposed holds that a detector says one thing, or problems and what it does not know beside them.
func wellComposed(t *testing.T, found []detectors.Finding) {
	t.Helper()
	unknowns := 0
	for i, f := range found {
		switch {
		case f.Verdict == detectors.Problem && unknowns > 0:
			t.Errorf("%s stands behind what is unknown", f.ID)
		case f.Verdict == detectors.Unknown:
			unknowns++
		case f.Verdict != detectors.Problem && (i > 0 || len(found) > 1):
			t.Errorf("%s is not alone", f.ID)
		}
	}
	if unknowns > 1 {
		t.Errorf("%d unknown findings, want one at most", unknowns)
	}
}

// healthyIsClean holds for every detector, and that the healthy bundle gives it something to judge.
func healthyIsClean(t *testing.T, d detectors.Detector) {
	found := judge(t.Context(), d, cases.Healthy())
	if len(found) != 1 || found[0].Verdict != detectors.Clean {
		t.Errorf("got\n%s", Render(found))
	}
}

func twice(t *testing.T, d detectors.Detector, c cases.Case) {
	report := func() string {
		text, err := json.Marshal(detectors.Run(t.Context(), open(c.Files), []detectors.Detector{d}))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if first, second := report(), report(); first != second {
		t.Errorf("first\n%s\nthen\n%s", first, second)
	}
}

// stops holds that a detector whose time has run out knows nothing, also where Run has called it.
func stops(t *testing.T, d detectors.Detector, c cases.Case) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, f := range judge(ctx, d, c.Files) {
		if f.Verdict != detectors.Unknown {
			t.Errorf("Run: %s", f.ID)
		}
	}
	for _, f := range d.Detect(ctx, open(c.Files)) {
		if f.Verdict == detectors.Clean && d.Kind == detectors.Cause {
			t.Errorf("Detect: %s: %s", f.Verdict, f.Summary)
		}
	}
}
