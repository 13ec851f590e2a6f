package training

import (
	"context"
	"errors"
	"slices"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/undo"
)

// Judge checks the lab, keeps what the check came to, and returns the log with it.
func (s *Site) Judge(ctx context.Context) (r Result, log Log, err error) {
	err = s.with(ctx, func(c *Checker) (err error) {
		r, err = c.Check(ctx)
		return err
	})
	if err != nil {
		return Result{}, nil, err
	}
	if err := s.Attempt.Add(Entry{Kind: Checked, Verdict: r.Verdict}); err != nil {
		return Result{}, nil, err
	}
	log, err = s.Attempt.Log()
	return r, log, err
}

// Hints are NextHints of the lab as it is now. The new one among them is given by that, or left out where another is not asked for;
// more says that there is one.
func (s *Site) Hints(ctx context.Context, language Language, another bool) (all []Given, more bool, err error) {
	var findings []detectors.Finding
	var values Values
	err = s.with(ctx, func(c *Checker) (err error) {
		findings, err = c.Findings(ctx)
		values = c.Faulty.Values
		return err
	})
	if err != nil {
		return nil, false, err
	}
	log, err := s.Attempt.Log()
	if err != nil {
		return nil, false, err
	}
	all = s.Exercise.NextHints(language, findings, values, log)
	i := slices.IndexFunc(all, func(g Given) bool { return !g.Free })
	switch {
	case i < 0:
		return all, false, nil
	case !another:
		return all[:i], true, nil
	}
	return all, true, s.Attempt.Add(Entry{Kind: Hinted, Finding: all[i].Finding, Step: all[i].Step})
}

// Solution are the commands that heal the lab. That they were looked at is kept first.
func (s *Site) Solution() ([]Typed, error) {
	faulty, err := s.Attempt.Faulty()
	if err != nil {
		return nil, err
	}
	return faulty.Values.Type(s.Exercise.Solution), s.GiveUp()
}

// GiveUp keeps that the learner is told what it was although it is not healed, which costs as much as the solution.
func (s *Site) GiveUp() error { return s.Attempt.Add(Entry{Kind: Solved}) }

// with does something with a checker, which nobody else changes the lab of meanwhile.
func (s *Site) with(ctx context.Context, do func(*Checker) error) error {
	c, err := s.Open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(do(c), c.Life.Lab.Release())
}

// AddNoise adds what is odd and harmless to the lab, by another seed than the attempt's.
func (s *Site) AddNoise(ctx context.Context, seed uint64) error {
	return s.with(ctx, func(c *Checker) error {
		before, err := undo.Record(ctx, c.Life.Lab)
		if err != nil {
			return err
		}
		if err := c.Noise(ctx, seed); err != nil {
			return err
		}
		after, err := undo.Record(ctx, c.Life.Lab)
		if err != nil {
			return err
		}
		if c.Faulty.NoiseWays == nil {
			c.Faulty.NoiseWays = map[string][]string{}
		}
		for name, list := range newWays(after, before) {
			c.Faulty.NoiseWays[name] = append(c.Faulty.NoiseWays[name], list...)
		}
		return s.Attempt.SaveFaulty(c.Faulty)
	})
}
