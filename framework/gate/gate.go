package gate

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/rekey"
)

// Gate is every bundle and every detector.
type Gate struct {
	// Sources are the bundles, and Hostile how many were left out of them.
	Sources []Source
	Hostile int
	// Skipped and Unreached are what a lab did not give, see Result.
	Skipped, Unreached []Absence
	// Remedied are those that were run already, see Result.
	Remedied []Remedied
	// Detectors are those whose names and cases Want uses.
	Detectors []detectors.Detector
	// Judge answers for them, or for some of them.
	Judge Judge
	// Rounds is how often all of it is done, each time in another order and with other names.
	Rounds int
	// Seed decides order and names.
	Seed uint64
}

// Judge says what detectors answer to a bundle, under the names of the gate's detectors. Its error ends the run: it is for what is no
// detector's fault.
type Judge func(context.Context, Given) (Answers, error)

// Ours judges by detectors in this process.
func Ours(dets []detectors.Detector) Judge {
	return func(ctx context.Context, g Given) (Answers, error) {
		return AnswersIn(detectors.Run(ctx, evidence.New(g.Files), dets)), ctx.Err()
	}
}

// patience is how many bundles a detector may leave without an answer before it has given any.
const patience = 10

// wrong are answers of nobody: why there are none.
const wrong = ""

// Run runs the gate. Its error is that it could not be run, or that nothing was judged.
func (g Gate) Run(ctx context.Context) (Result, error) {
	r := Result{
		Version: ResultVersion, Seed: g.Seed, Rounds: g.Rounds, Hostile: g.Hostile,
		Skipped: g.Skipped, Unreached: g.Unreached, Remedied: g.Remedied, Bundles: len(g.Sources), Differing: []Differing{},
	}
	var rounds [][]Cell
	var judged []string
	for round := range g.Rounds {
		answers, err := g.round(ctx, round)
		if err != nil {
			return Result{}, err
		}
		if round == 0 {
			if judged, err = g.judged(answers); err != nil {
				return Result{}, err
			}
		}
		rounds = append(rounds, g.cells(judged, answers))
	}
	r.Cells = rounds[0]
	r.Detectors, r.Confusions = score(judged, r.Cells), confusions(r.Cells)
	r.Differing = differing(rounds)
	var err error
	r.Baselines, err = g.baselines(judged)
	return r, err
}

// turn is one bundle in one round, and under what names it is given.
type turn struct {
	source int
	key    rekey.Key
	by     time.Duration
}

// plan is the order of a round.
func (g Gate) plan(round int) []turn {
	random := rand.New(rand.NewPCG(g.Seed, uint64(round)))
	var turns []turn
	for _, i := range random.Perm(len(g.Sources)) {
		// By a day at least, so that none stays the same.
		const day = 24 * time.Hour
		t := turn{source: i, by: day + time.Duration(random.Int64N(int64(300*day)))}
		for at := 0; at < len(t.key); at += 8 {
			binary.LittleEndian.PutUint64(t.key[at:], random.Uint64())
		}
		turns = append(turns, t)
	}
	return turns
}

// round judges every bundle once and returns the answers in the order of the sources.
func (g Gate) round(ctx context.Context, round int) ([]Answers, error) {
	answers := make([]Answers, len(g.Sources))
	var answered, unanswered atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, t := range g.plan(round) {
		group.Go(func() error {
			given, err := give(ctx, g.Sources[t.source], t.key, t.by)
			if err != nil {
				return err
			}
			got, err := g.Judge(ctx, given)
			if err != nil {
				return err
			}
			given.original(got)
			answers[t.source] = got
			if why := got[wrong].Err; why == "" {
				answered.Add(1)
			} else if unanswered.Add(1) >= patience && answered.Load() == 0 {
				return fmt.Errorf("no answer to any of the first %d bundles: %s", patience, why)
			}
			return nil
		})
	}
	return answers, group.Wait()
}

// judged are the names of those detectors of which any answer speaks, in the order of the gate's.
func (g Gate) judged(all []Answers) ([]string, error) {
	var names []string
	for _, d := range g.Detectors {
		if slices.ContainsFunc(all, func(a Answers) bool { _, ok := a[d.Name]; return ok }) {
			names = append(names, d.Name)
		}
	}
	if len(names) > 0 {
		return names, nil
	}
	for _, a := range all {
		if a[wrong].Err != "" {
			return nil, fmt.Errorf("no bundle was judged: %s", a[wrong].Err)
		}
	}
	return nil, errors.New("no bundle was judged: the reports speak of no detector of netfault; name theirs with --map")
}

// cells compares all answers with what they should be.
func (g Gate) cells(judged []string, all []Answers) []Cell {
	var cells []Cell
	for i, s := range g.Sources {
		for _, d := range judged {
			got, ok := all[i][d]
			switch {
			case ok:
			case all[i][wrong].Err != "":
				got = all[i][wrong]
			default:
				got.Err = "the report says nothing of " + d + ", and those of other bundles do"
			}
			cells = append(cells, Compare(s, d, got))
		}
	}
	return cells
}

// differing are the cells that are not the same in all rounds.
func differing(rounds [][]Cell) []Differing {
	all := []Differing{}
	for i, first := range rounds[0] {
		d := Differing{Bundle: first.Bundle, Detector: first.Detector}
		same := true
		for _, cells := range rounds {
			was := string(cells[i].Was)
			if cells[i].Why != "" {
				was += " (" + cells[i].Why + ")"
			}
			d.Was = append(d.Was, was)
			same = same && was == d.Was[0]
		}
		if !same {
			all = append(all, d)
		}
	}
	return all
}

// baselines scores what is said without looking.
func (g Gate) baselines(judged []string) ([]Baseline, error) {
	all := baselines()
	random := rand.New(rand.NewPCG(g.Seed, 0))
	for _, s := range g.Sources {
		bundle, err := s.Open()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s, err)
		}
		nodes := nodesOf(bundle)
		for _, d := range g.Detectors {
			if !slices.Contains(judged, d.Name) {
				continue
			}
			for i := range all {
				all[i].Scores.add(Compare(s, d.Name, all[i].says(d, nodes, random)))
			}
		}
	}
	return all, nil
}
