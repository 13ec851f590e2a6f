package live

import (
	"context"
	"path/filepath"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/gate"
	"github.com/netfault/netfault/framework/lock"
	"github.com/netfault/netfault/framework/progress"
	"github.com/netfault/netfault/framework/undo"
)

// Pairs brings every two faults about at once, on different nodes of a larger lab, and takes evidence of that: each must be found as if
// it were alone. Its error is that of Take.
func (l Labs) Pairs(ctx context.Context) (Taken, error) {
	var jobs []*pair
	var cannot Taken
	for i, a := range l.Scenarios {
		for _, b := range l.Scenarios[i+1:] {
			p, why := fault.PairOf(a, b)
			if why != "" {
				cannot.Skipped = append(cannot.Skipped, gate.Absence{Bundle: l.sourceOf(p, ""), Why: why})
				continue
			}
			jobs = append(jobs, &pair{labs: l, both: p, scenario: p.Scenario()})
		}
	}
	taken, err := onLabs(ctx, l, jobs, fault.BothNodes)
	taken.Add(cannot)
	return taken, err
}

func (l Labs) sourceOf(p fault.Pair, phase string) gate.Source {
	return gate.Source{Kind: string(l.Kind), Name: p.Scenario().Name, Phase: phase}
}

// pair is two faults at once.
type pair struct {
	labs     Labs
	both     fault.Pair
	scenario fault.Scenario
}

func (p *pair) of() fault.Scenario { return p.scenario }

func (p *pair) run(ctx context.Context, held *lock.Held, task *progress.Task) (t Taken, err error) {
	if why := p.scenario.Missing(held); why != "" {
		t.Skipped = append(t.Skipped, gate.Absence{Bundle: p.labs.sourceOf(p.both, ""), Why: why})
		return t, nil
	}
	run := p.labs.lifeOf(p.scenario, held, filepath.Join(p.labs.Dir, "pairs"), task)
	// The last of the steps, at which the fault is recognised as if it were the only one, is not for pairs.
	steps := run.Inject()
	_, ended := throughSteps(ctx, run, steps[:len(steps)-1])
	if ctx.Err() != nil {
		return t, ctx.Err()
	}
	source := p.labs.sourceOf(p.both, fault.FaultyBundle)
	if ended != nil {
		t.Unreached = append(t.Unreached, gate.Absence{Bundle: source, Why: detectors.OneLine(ended.Error())})
		return t, undo.Undo(ctx, held)
	}
	dir := filepath.Join(run.Bundles, p.scenario.Name, fault.FaultyBundle)
	said, err := gate.SaidOf(held, dir, p.both.Causes(held), p.scenario.MustFail)
	if err != nil {
		return t, err
	}
	source.Want = gate.AnswersOf(said)
	source.Open = gate.Folder(dir)
	t.Sources = append(t.Sources, source)
	return t, undo.Undo(ctx, held)
}
