// Package live takes the gate's bundles from labs: it brings every fault about, one life of each, and keeps the evidence of every
// phase. What must be said of it is the scenario's word, and what the probes in the bundle saw; no detector has a part in that.
package live

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/gate"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/lock"
	"github.com/netfault/netfault/framework/progress"
)

// Labs are those that the bundles are taken from. They are made for it, one of each flavour, and removed.
type Labs struct {
	// Kind is labs.Netns or labs.KIND.
	Kind labs.Kind
	// Name is what the labs' names end with.
	Name string
	// Scenarios are the faults that are brought about, each in a life of its own for each of its remedies.
	Scenarios []fault.Scenario
	// Dir is a folder for the bundles.
	Dir string
	// Tool is the program and its version, for the bundles.
	Tool string
	// Board is told how far each lab is.
	Board *progress.Board
}

// Taken is what came of it.
type Taken struct {
	Sources []gate.Source
	// Skipped are faults that cannot come about on such a lab, and Unreached phases that should have, and did not.
	Skipped, Unreached []gate.Absence
}

func (t *Taken) add(o Taken) {
	t.Sources = append(t.Sources, o.Sources...)
	t.Skipped = append(t.Skipped, o.Skipped...)
	t.Unreached = append(t.Unreached, o.Unreached...)
}

// errand is what is done on one lab: lives, one after the other.
type errand struct {
	flavour labs.Flavour
	lives   []*life
}

// Take runs all lives, those of several labs side by side. Its error is that a lab could not be had or brought back, or that ctx ended;
// the labs are gone then, too.
func (l Labs) Take(ctx context.Context) (Taken, error) {
	errands := l.errands()
	taken := make([]Taken, len(errands))
	group, groupCtx := errgroup.WithContext(ctx)
	// A lab mostly waits.
	group.SetLimit(2 * runtime.GOMAXPROCS(0))
	for i, e := range errands {
		group.Go(func() (err error) {
			taken[i], err = l.run(groupCtx, e)
			return err
		})
	}
	err := group.Wait()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	var all Taken
	for _, t := range taken {
		all.add(t)
	}
	return all, err
}

// errands sorts the lives by the lab that they need, in the order of the scenarios.
func (l Labs) errands() []*errand {
	var all []*errand
	of := map[labs.Flavour]*errand{}
	for _, s := range l.Scenarios {
		f := labs.FlavourFor(l.Kind, s.Pods, s.Flannel)
		if of[f] == nil {
			of[f] = &errand{flavour: f}
			all = append(all, of[f])
		}
		for _, remedy := range append([]string{""}, s.Alternatives...) {
			of[f].lives = append(of[f].lives, &life{labs: l, scenario: s, remedy: remedy})
		}
	}
	return all
}

// run makes a lab, and does on it what is to be done.
func (l Labs) run(ctx context.Context, e *errand) (taken Taken, err error) {
	name := e.flavour.LabName("") + "-" + l.Name
	task := l.Board.Task(name)
	defer task.End()
	up, err := labs.Up(ctx, labs.Options{
		Kind: l.Kind, Name: name, Pods: e.flavour.Pods, Flannel: e.flavour.Flannel, KubeProxy: lab.IPTables, FlannelRules: lab.IPTables,
		Owned: true, Progress: task.Doing,
	})
	if err != nil {
		return taken, fmt.Errorf("a lab with %s: %w", e.flavour, err)
	}
	defer func() {
		task.Doing("removing the lab")
		err = errors.Join(err, labs.Found{Kind: l.Kind, Name: name}.Remove(context.WithoutCancel(ctx)))
	}()
	held, err := lock.Take(ctx, up)
	if err != nil {
		return taken, err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	for _, one := range e.lives {
		one.task = task
		of, err := one.run(ctx, held)
		taken.add(of)
		if err != nil {
			return taken, err
		}
	}
	return taken, nil
}
