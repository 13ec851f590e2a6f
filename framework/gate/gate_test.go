package gate

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/netfault/netfault/detectors/all"
)

// small is a gate of a few bundles, judged by judge.
func small(t *testing.T, judge Judge) Gate {
	t.Helper()
	g := recorded(t)
	g.Sources = slices.Clone(g.Sources[len(g.Sources)-15:])
	g.Judge = judge
	return g
}

// Every cell that is not the same in all rounds is told, also where the first round is right.
func TestRoundsThatDiffer(t *testing.T) {
	dets := all.Detectors()
	var calls atomic.Int64
	g := small(t, func(ctx context.Context, given Given) (Answers, error) {
		answers, err := Ours(dets)(ctx, given)
		if calls.Add(1) == 16 { // the first bundle of the second round
			answers["tw-recycle"] = Answer{Unknown: true}
		}
		return answers, err
	})
	g.Rounds = 3
	r, err := g.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Differing) != 1 || r.Differing[0].Detector != "tw-recycle" || r.Right() {
		t.Errorf("right: %t; differing: %+v", r.Right(), r.Differing)
	}
	for _, c := range r.Cells {
		if !c.Right {
			t.Errorf("%s, %s: %s", c.Bundle, c.Detector, c.Why)
		}
	}
}

// Each round has an order and names of its own, and the seed repeats both.
func TestOrderIsRandom(t *testing.T) {
	plan := func(seed uint64, round int) []turn {
		g := small(t, nil)
		g.Seed = seed
		return g.plan(round)
	}
	first := plan(1, 0)
	if !slices.Equal(first, plan(1, 0)) {
		t.Error("the same seed gives another plan")
	}
	for _, other := range [][]turn{plan(2, 0), plan(1, 1)} {
		sameOrder := true
		for i := range first {
			sameOrder = sameOrder && first[i].source == other[i].source
			if first[i].key == other[i].key || first[i].by == other[i].by {
				t.Error("another round has the same names or times")
			}
		}
		if sameOrder {
			t.Error("another round has the same order")
		}
	}
	inOrder := func(a, b turn) int { return a.source - b.source }
	if slices.IsSortedFunc(first, inOrder) || len(first) != 15 {
		t.Errorf("%d turns, in the order of the sources", len(first))
	}
}

// A detector that answers nothing is given up soon, and one that answers once is not.
func TestPatience(t *testing.T) {
	failing := func(context.Context, Given) (Answers, error) { return Answers{wrong: {Err: "exit status 3"}}, nil }
	if _, err := small(t, failing).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "first 10 bundles: exit status 3") {
		t.Errorf("got %v", err)
	}
	var calls atomic.Int64
	r, err := small(t, func(ctx context.Context, g Given) (Answers, error) {
		if calls.Add(1) == 3 {
			return Answers{"stale-vtep": {}}, nil
		}
		return failing(ctx, g)
	}).Run(t.Context())
	if err != nil || len(r.Detectors) != 1 || r.Detectors[0].Outcomes[Error] != 14 {
		t.Errorf("%+v, %v", r.Detectors, err)
	}
	silent := small(t, func(context.Context, Given) (Answers, error) { return Answers{}, nil })
	if _, err := silent.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "no detector of netfault") {
		t.Errorf("got %v", err)
	}
}
