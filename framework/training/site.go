package training

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/lock"
	"github.com/netfault/netfault/framework/training/noise"
	"github.com/netfault/netfault/framework/training/site"
	"github.com/netfault/netfault/framework/undo"
)

// Site is the lab of an attempt: it is made, broken, judged and removed.
type Site struct {
	Attempt   *Attempt
	Exercise  *Exercise
	Scenario  fault.Scenario
	Detectors []detectors.Detector
	// Tool is the program and its version, for the evidence.
	Tool string
}

// LabName is a name for the lab of an attempt with this seed, which says nothing of it.
func LabName(seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 1))
	return fmt.Sprintf("site-%04x", r.Uint32N(1<<16))
}

// Pick picks one of several by the seed.
func Pick(seed uint64, n int) int { return rand.New(rand.NewPCG(seed, 2)).IntN(n) }

// Found is the lab by its name.
func (s *Site) Found() labs.Found {
	return labs.Found{Kind: cmp.Or(s.Attempt.Kind, labs.Netns), Name: s.Attempt.Lab}
}

// Build makes the lab, breaks it, and proves that it is broken. It says how far it is in words that give nothing away. When it fails,
// the lab is removed.
func (s *Site) Build(ctx context.Context, progress func(Told)) (err error) {
	kind := s.Found().Kind
	flavour := labs.FlavourFor(kind, s.Scenario.Pods, s.Scenario.Flannel)
	if kind == labs.KIND {
		progress(told("the cluster comes up, which takes a minute", "集群正在启动，需要一分钟左右"))
	} else {
		progress(told("the network comes up", "网络正在启动"))
	}
	l, err := labs.Up(ctx, labs.Options{
		Kind: kind, Name: s.Attempt.Lab, Site: site.Of(s.Attempt.Seed, SiteNodes), Sealed: true, Owned: s.Attempt.Owned, Pods: flavour.Pods, Flannel: flavour.Flannel,
	})
	if ctx.Err() != nil {
		return ended(ctx)
	}
	if err != nil {
		return err
	}
	defer func() {
		switch {
		case err == nil:
			return
		case ctx.Err() != nil:
			err = ended(ctx) // what was being done then would give the fault away
		default:
			err = s.spoils(err)
		}
		err = errors.Join(err, s.Remove(context.WithoutCancel(ctx)))
	}()
	held, err := lock.Take(ctx, l)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	if why := s.Scenario.Missing(held); why != "" {
		return errors.New(why)
	}
	c, err := s.checker(ctx, held)
	if err != nil {
		return err
	}
	if err := c.run(ctx, s.Exercise.Before); err != nil {
		return err
	}
	progress(told("time passes", "时间流逝"))
	if _, err := c.Life.Run(ctx, c.Life.Inject()...); err != nil {
		return err
	}
	if s.Attempt.Noise {
		if err := c.Noise(ctx, s.Attempt.Seed); err != nil {
			return err
		}
	}
	progress(told("an alarm goes", "告警响起"))
	if err := c.alarm(ctx); err != nil {
		return err
	}
	if err := s.Attempt.SaveFaulty(c.Faulty); err != nil {
		return err
	}
	return s.Attempt.Add(Entry{Kind: Alarm})
}

// SiteNodes is how many nodes a site has: the two that most faults are between, and one that sees nothing of it.
const SiteNodes = 3

// Noise adds what is odd and harmless. It goes with the fault.
func (c *Checker) Noise(ctx context.Context, seed uint64) error {
	oddities, err := noise.Add(ctx, c.Life.Lab, seed)
	for _, o := range oddities {
		if o.Alarm != "" {
			c.Faulty.OtherAlarms = append(c.Faulty.OtherAlarms, o.Alarm)
		}
	}
	return err
}

// checker is that of a lab, without what was when the alarm went but for the values, which are those of now.
func (s *Site) checker(ctx context.Context, held *lock.Held) (*Checker, error) {
	values, err := ValuesOf(ctx, held)
	return &Checker{
		Exercise: s.Exercise, Faulty: Faulty{Values: values},
		Life: &fault.Life{
			Lab: held, Scenario: s.Scenario, Detectors: s.Detectors, Bundles: s.Attempt.Bundles(), Tool: s.Tool, Reporter: quiet{},
		},
	}, err
}

// alarm keeps how the lab is now.
func (c *Checker) alarm(ctx context.Context) error {
	sight, err := c.Life.Look(ctx, fault.FaultyBundle)
	if err != nil {
		return err
	}
	c.Faulty.Probes, c.Faulty.Findings = sight.Probes, c.own(sight.Report)
	if c.Faulty.Recorded, err = undo.Record(ctx, c.Life.Lab); err != nil {
		return err
	}
	c.Faulty.Values, err = ValuesOf(ctx, c.Life.Lab)
	return err
}

// own are the problems that the scenario's detector reports.
func (c *Checker) own(r detectors.Report) []detectors.Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f detectors.Finding) bool {
		return f.Detector != c.Life.Scenario.Detector.Name || f.Verdict != detectors.Problem
	})
}

// Partly opens the lab to look at, which may be broken by the learner.
func (s *Site) Partly(ctx context.Context) (lab.Lab, error) {
	if err := s.Stands(); err != nil {
		return nil, err
	}
	l, err := s.Found().OpenPartly(ctx)
	if err != nil {
		return nil, needsReset(err)
	}
	return l, nil
}

// Stands returns an error, with what to do, if the lab is gone, as after a start that was ended.
func (s *Site) Stands() error {
	if _, err := os.Stat(s.Found().StateDir()); errors.Is(err, fs.ErrNotExist) {
		return &Error{Told: told(
			"the network of this exercise is not there any more: `netfault train reset` makes it anew, as it was when the alarm went",
			"这个练习的网络已经不在了：用 `netfault train reset` 重新建立，恢复到告警时的样子")}
	}
	return nil
}

// Open opens the lab for a check, which may change it: Release of its lab gives it up.
func (s *Site) Open(ctx context.Context) (*Checker, error) {
	faulty, err := s.Attempt.Faulty()
	if errors.Is(err, os.ErrNotExist) {
		return nil, &Error{Told: told("the start of the exercise was ended before the alarm went: `netfault train reset` makes it anew",
			"练习在告警之前就中断了：用 `netfault train reset` 重新开始")}
	}
	if err != nil {
		return nil, err
	}
	if err := s.Stands(); err != nil {
		return nil, err
	}
	held, err := s.Found().Hold(ctx)
	if err != nil {
		return nil, needsReset(err)
	}
	c, err := s.checker(ctx, held)
	if err != nil {
		return nil, errors.Join(err, held.Release())
	}
	c.Faulty = faulty
	return c, nil
}

// Findings are the problems of the cause as they are now.
func (c *Checker) Findings(ctx context.Context) ([]detectors.Finding, error) {
	sight, err := c.Life.Look(ctx, "hinted")
	return c.own(sight.Report), err
}

// Remove removes the lab, whole or not. Nothing of it is left but the attempt's own folder.
func (s *Site) Remove(ctx context.Context) error { return s.Found().Remove(ctx) }

// quiet tells nothing of a life: its steps would give the fault away.
type quiet struct{}

func (quiet) Begin(string, fault.Step)             {}
func (quiet) Detail(string)                        {}
func (quiet) End(string, fault.Step, fault.Result) {}
