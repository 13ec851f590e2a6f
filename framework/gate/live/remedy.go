package live

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/gate"
	"github.com/netfault/netfault/framework/lock"
	"github.com/netfault/netfault/framework/progress"
	"github.com/netfault/netfault/framework/undo"
)

// Try brings every fault about once more, shows it to a detector, and runs what its findings say is the remedy. What came of that,
// probes and the kernel's state decide. dets are the detectors whose names the answers use. Its error is that of Take.
func (l Labs) Try(ctx context.Context, dets []detectors.Detector, judge gate.Judge) (Taken, error) {
	var jobs []*trial
	for _, s := range l.Scenarios {
		jobs = append(jobs, &trial{labs: l, scenario: s, detectors: dets, judge: judge})
	}
	return onLabs(ctx, l, jobs, 0)
}

// trial is one fault and the remedy that a detector has for it.
type trial struct {
	labs      Labs
	scenario  fault.Scenario
	detectors []detectors.Detector
	judge     gate.Judge
}

func (t *trial) of() fault.Scenario { return t.scenario }

func (t *trial) run(ctx context.Context, held *lock.Held, task *progress.Task) (taken Taken, err error) {
	source := gate.Source{Kind: string(t.labs.Kind), Name: t.scenario.Name}
	if t.scenario.Missing(held) != "" {
		return taken, nil // which is told of its life
	}
	source.Phase = "remedy"
	unreached := func(err error) {
		taken.Unreached = append(taken.Unreached, gate.Absence{Bundle: source, Why: detectors.OneLine(err.Error())})
	}
	run := t.labs.lifeOf(t.scenario, held, filepath.Join(t.labs.Dir, "remedies"), task)
	defer func() {
		if ctx.Err() == nil {
			// A stranger's remedy may have done what cannot be undone: the lab is of no use any more.
			if undoErr := undo.Undo(ctx, held); undoErr != nil {
				err = errors.Join(err, &lostError{undoErr})
				for i := range taken.Remedied {
					taken.Remedied[i].Was, taken.Remedied[i].Why = gate.Damage, detectors.OneLine("the lab could not be brought back: "+undoErr.Error())
				}
			}
		}
	}()
	if _, ended := throughSteps(ctx, run, run.Inject()); ended != nil {
		unreached(ended)
		return taken, ctx.Err()
	}
	task.Doing(t.scenario.Name + " remedy")
	became, err := t.remedy(ctx, held, run)
	switch {
	case ctx.Err() != nil:
		return taken, context.Cause(ctx)
	case err != nil:
		unreached(err)
		return taken, nil
	}
	became.Bundle = source
	taken.Remedied = append(taken.Remedied, became)
	return taken, nil
}

// lostError says that a lab could not be brought back.
type lostError struct{ error }

// Unwrap returns why.
func (e *lostError) Unwrap() error { return e.error }

// remedy shows the lab with the fault to the detector, and runs what it says.
func (t *trial) remedy(ctx context.Context, held *lock.Held, run *fault.Life) (became gate.Remedied, err error) {
	dir := filepath.Join(run.Bundles, t.scenario.Name, fault.FaultyBundle)
	given, err := gate.AsItIs(gate.Source{Open: gate.Folder(dir)})
	if err != nil {
		return became, err
	}
	answers, err := t.judge(ctx, given)
	if err != nil {
		return became, err
	}
	remedy := answers.Remedy(t.detectors)
	if len(remedy) == 0 {
		became.Was, became.Why = gate.NoRemedy, answers.WhyNone()
		return became, nil
	}
	for _, c := range remedy {
		became.Commands = append(became.Commands, c.Typed())
	}
	j, err := undo.Read(held)
	if err != nil {
		return became, err
	}
	faulty, err := undo.Record(ctx, held)
	if err != nil {
		return became, err
	}
	if became.Why, err = run.Heals(ctx, remedy); err != nil {
		return became, err
	}
	now, err := undo.Record(ctx, held)
	if err != nil {
		return became, err
	}
	became.Gone = undo.Gone(j.Before, faulty, now)
	switch {
	case became.Why != "":
		became.Was, became.Why = gate.NotHealed, detectors.OneLine(became.Why)
	case len(became.Gone) > 0:
		became.Was = gate.Damage
	default:
		became.Was = gate.Healed
	}
	return became, nil
}
