package gate

import (
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/detectors/cases"
	"github.com/netfault/netfault/detectors/evidence"
)

var update = flag.Bool("update", false, "write into each case what the detectors of other folders say of it")

// checkout is the top folder.
const checkout = "../.."

// recorded is the gate of the checkout, by this project's own detectors.
func recorded(t *testing.T) Gate {
	t.Helper()
	sources, hostile, err := Recorded(checkout)
	if err != nil {
		t.Fatal(err)
	}
	dets := all.Detectors()
	return Gate{Sources: sources, Hostile: hostile, Detectors: dets, Judge: Ours(dets), Rounds: 1, Seed: 1}
}

// Every cell of our own detectors is as it should be.
func TestEveryCellIsAsItShouldBe(t *testing.T) {
	if *update {
		setOthers(t)
	}
	r, err := recorded(t).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Cells {
		if !c.Right {
			t.Errorf("%s, %s: %s: %s", c.Bundle, c.Detector, c.Was, c.Why)
		}
	}
	if len(r.Detectors) != len(all.Detectors()) || len(r.Cells) != len(r.Detectors)*r.Bundles {
		t.Errorf("%d detectors, %d bundles, %d cells", len(r.Detectors), r.Bundles, len(r.Cells))
	}
	for _, s := range r.Detectors {
		if s.Scores.Speak.Of == 0 || s.Scores.Silent.Of < s.Scores.Speak.Of {
			t.Errorf("%s must speak in %d cells, and be silent in %d", s.Detector, s.Scores.Speak.Of, s.Scores.Silent.Of)
		}
	}
}

// setOthers writes into each case what the detectors of other folders say of it.
func setOthers(t *testing.T) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(checkout, "detectors", "*", "testdata", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		c, err := cases.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Base(filepath.Dir(filepath.Dir(path)))
		var others strings.Builder
		for _, f := range detectors.Run(t.Context(), evidence.New(c.Files), all.Detectors()).Findings {
			if strings.ReplaceAll(f.Detector, "-", "") != folder && (f.Verdict == detectors.Problem || f.Verdict == detectors.Unknown) {
				fmt.Fprintf(&others, "%s %s\n", f.Verdict, f.ID)
			}
		}
		if c.Hostile || others.String() == c.Others {
			continue
		}
		if err := c.SetOthers(others.String()); err != nil {
			t.Fatal(err)
		}
	}
}
