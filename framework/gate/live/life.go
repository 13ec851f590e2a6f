package live

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/gate"
	"github.com/netfault/netfault/framework/lock"
	"github.com/netfault/netfault/framework/progress"
	"github.com/netfault/netfault/framework/undo"
)

// life is the life of a fault that is healed by one remedy: the finding's first, or where it is named, another.
type life struct {
	labs     Labs
	scenario fault.Scenario
	remedy   string
}

func (l *life) of() fault.Scenario { return l.scenario }

// name is the scenario's, and the remedy's if it is not the first.
func (l *life) name() string {
	if l.remedy == "" {
		return l.scenario.Name
	}
	return l.scenario.Name + ", " + l.remedy
}

// phase is a state of the lab of which evidence is taken.
type phase struct {
	name, bundle string
	// step is that of the life which takes the evidence.
	step string
	want func() ([]gate.Said, error)
}

// run runs the life on a lab, which is then as it was. A detector that is wrong is no concern of it: cells tell. What else fails ends
// the life early: the phases that it did not come to are unreached. The error is that the lab cannot be used any more.
func (l *life) run(ctx context.Context, held *lock.Held, task *progress.Task) (Taken, error) {
	var t Taken
	if why := l.scenario.Missing(held); why != "" {
		t.Skipped = append(t.Skipped, gate.Absence{Bundle: l.source(""), Why: why})
		return t, nil
	}
	if l.remedy != "" && held.API() != nil {
		t.Skipped = append(t.Skipped, gate.Absence{Bundle: l.source(""), Why: "the finding's other remedies are for flanneld and Docker as services of a host"})
		return t, nil
	}
	run := l.labs.lifeOf(l.scenario, held, l.bundles(), task)
	run.Remedy = l.remedy
	passed, ended := throughSteps(ctx, run, run.Plan())
	if ctx.Err() != nil {
		return t, ctx.Err()
	}
	if ended != nil {
		if err := undo.Undo(ctx, held); err != nil {
			return t, errors.Join(ended, err)
		}
	}
	after := run.AfterUndo()
	if _, err := run.Run(ctx, after); err == nil {
		passed[after.Name] = true
	} else if ended == nil {
		ended = err
	}
	if ctx.Err() != nil {
		return t, ctx.Err()
	}
	for _, p := range l.phases(held) {
		s := l.source(p.name)
		if !passed[p.step] {
			t.Unreached = append(t.Unreached, gate.Absence{Bundle: s, Why: detectors.OneLine(ended.Error())})
			continue
		}
		said, err := p.want()
		if err != nil {
			return t, err
		}
		s.Want = gate.AnswersOf(said)
		dir := filepath.Join(l.bundles(), l.scenario.Name, p.bundle)
		s.Open = gate.Folder(dir)
		t.Sources = append(t.Sources, s)
	}
	return t, nil
}

// lifeOf is a life of a fault whose bundles are in a folder. Its own detector judges alone: its remedies are run, and the others would
// only end the life where they are wrong.
func (l Labs) lifeOf(s fault.Scenario, held *lock.Held, bundles string, task *progress.Task) *fault.Life {
	return &fault.Life{
		Lab: held, Scenario: s, Bundles: bundles, Tool: l.Tool, Reporter: teller{task}, Detectors: []detectors.Detector{s.Detector},
	}
}

// throughSteps runs steps until one fails, and returns which have passed. One at which only the detector is wrong has.
func throughSteps(ctx context.Context, run *fault.Life, steps []fault.Step) (passed map[string]bool, ended error) {
	passed = map[string]bool{}
	for _, step := range steps {
		_, err := run.Run(ctx, step)
		if _, misjudged := errors.AsType[*fault.MisjudgedError](err); err != nil && !misjudged {
			return passed, err
		}
		passed[step.Name] = true
	}
	return passed, nil
}

// bundles is the folder that the life's bundles are in.
func (l *life) bundles() string {
	if l.remedy == "" {
		return l.labs.Dir
	}
	return filepath.Join(l.labs.Dir, "other-remedies", strings.ReplaceAll(l.remedy, "/", "-"))
}

func (l *life) source(phase string) gate.Source {
	return gate.Source{Kind: string(l.labs.Kind), Name: l.name(), Phase: phase}
}

// phases are those of the life, with what must be said of each.
func (l *life) phases(held *lock.Held) []phase {
	s := l.scenario
	silent := func() ([]gate.Said, error) { return nil, nil }
	broken := func(bundle string, want []fault.Subject, mustFail fault.Which) func() ([]gate.Said, error) {
		return func() ([]gate.Said, error) {
			dir := filepath.Join(l.bundles(), s.Name, bundle)
			return gate.SaidOf(held, dir, map[string][]fault.Subject{s.Detector.Name: want}, mustFail)
		}
	}
	all := []phase{
		{fault.HealthyBundle, fault.HealthyBundle, "healthy", silent},
		{fault.FaultyBundle, fault.FaultyBundle, "symptom", broken(fault.FaultyBundle, s.Want(held), s.MustFail)},
	}
	if s.Attempts != nil && l.remedy == "" {
		for i, a := range s.Attempts(held) {
			after := s.After(a)
			all = append(all, phase{"tried: " + a.Name, fault.TriedBundle(i), "tried", broken(fault.TriedBundle(i), after.Want(held), after.MustFail)})
		}
	}
	return append(all,
		phase{fault.HealedBundle, fault.HealedBundle, "clean", silent},
		phase{fault.UndoneBundle, fault.UndoneBundle, fault.UndoneBundle, silent},
	)
}

// teller tells the steps of lives on a board.
type teller struct{ task *progress.Task }

func (t teller) Begin(scenario string, s fault.Step) { t.task.Doing(scenario + " " + s.Name) }
func (teller) Detail(string)                         {}
func (teller) End(string, fault.Step, fault.Result)  {}
