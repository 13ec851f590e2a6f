package gate

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

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

// Every cell of our own detectors is as it should be, and nothing that they are given says what it is. That is one test, since to
// re-key all bundles takes most of the time of both.
func TestEveryCellIsAsItShouldBe(t *testing.T) {
	if *update {
		setOthers(t)
	}
	g := recorded(t)
	leaks := newLeaks(t, g.Sources)
	results := make([]Result, len(g.Sources))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, s := range g.Sources {
		group.Go(func() (err error) {
			one := g
			one.Sources, one.Seed = g.Sources[i:i+1], uint64(i)
			one.Judge = func(ctx context.Context, given Given) (Answers, error) {
				leaks.check(t, s, given)
				return g.Judge(ctx, given)
			}
			results[i], err = one.Run(t.Context())
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	scores := map[string]*Score{}
	for _, r := range results {
		for _, c := range r.Cells {
			if !c.Right {
				t.Errorf("%s, %s: %s: %s", c.Bundle, c.Detector, c.Was, c.Why)
			}
		}
		for _, s := range r.Detectors {
			if scores[s.Detector] == nil {
				scores[s.Detector] = &Score{}
			}
			scores[s.Detector].Add(s)
		}
	}
	for _, d := range all.Detectors() {
		s := scores[d.Name]
		if s == nil || s.Scores.Speak.Of == 0 || s.Scores.Silent.Of < s.Scores.Speak.Of {
			t.Fatalf("%s: %+v, which is fewer cells that must be silent than must speak", d.Name, s)
		}
		if cells := s.Scores.Speak.Of + s.Scores.Silent.Of + s.Scores.Abstain.Of; cells != len(g.Sources) {
			t.Errorf("%s was judged by %d of %d bundles", d.Name, cells, len(g.Sources))
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
