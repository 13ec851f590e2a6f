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
	// Remedied is what became of faults by remedies, where those were run.
	Remedied []gate.Remedied
}

// Add adds what came of something else.
func (t *Taken) Add(o Taken) {
	t.Sources = append(t.Sources, o.Sources...)
	t.Skipped = append(t.Skipped, o.Skipped...)
	t.Unreached = append(t.Unreached, o.Unreached...)
	t.Remedied = append(t.Remedied, o.Remedied...)
}

// job is what is done on a lab, which is as before when it has ended. The error of run is that the lab cannot be used any more.
type job interface {
	of() fault.Scenario
	run(ctx context.Context, held *lock.Held, task *progress.Task) (Taken, error)
}

// errand is what is done on one lab, one job after the other.
type errand[J job] struct {
	flavour labs.Flavour
	jobs    []J
}

// Take runs the life of every fault, those on several labs side by side. Its error is that a lab could not be had or brought back, or
// that ctx ended; the labs are gone then, too.
func (l Labs) Take(ctx context.Context) (Taken, error) {
	var jobs []*life
	for _, s := range l.Scenarios {
		for _, remedy := range append([]string{""}, s.Alternatives...) {
			jobs = append(jobs, &life{labs: l, scenario: s, remedy: remedy})
		}
	}
	return onLabs(ctx, l, jobs, 0)
}

// onLabs does all jobs, each on a lab of the flavour that it needs, with so many nodes; as many as usual if 0.
func onLabs[J job](ctx context.Context, l Labs, jobs []J, nodes int) (Taken, error) {
	errands := errandsOf(l.Kind, jobs)
	taken := make([]Taken, len(errands))
	group, groupCtx := errgroup.WithContext(ctx)
	// A lab mostly waits.
	group.SetLimit(2 * runtime.GOMAXPROCS(0))
	for i, e := range errands {
		group.Go(func() error { return e.run(groupCtx, l, nodes, &taken[i]) })
	}
	err := group.Wait()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	var all Taken
	for _, t := range taken {
		all.Add(t)
	}
	return all, err
}

// errandsOf sorts jobs by the lab that they need, in their order.
func errandsOf[J job](kind labs.Kind, jobs []J) []*errand[J] {
	var all []*errand[J]
	of := map[labs.Flavour]*errand[J]{}
	for _, j := range jobs {
		f := labs.FlavourFor(kind, j.of().Pods, j.of().Flannel)
		if of[f] == nil {
			of[f] = &errand[J]{flavour: f}
			all = append(all, of[f])
		}
		of[f].jobs = append(of[f].jobs, j)
	}
	return all
}

// run does the jobs on a lab, and on a new one after each that has lost it.
func (e *errand[J]) run(ctx context.Context, l Labs, nodes int, to *Taken) error {
	task := l.Board.Task(e.flavour.LabName("") + "-" + l.Name)
	defer task.End()
	for left := e.jobs; len(left) > 0; {
		done, err := e.onOne(ctx, l, left, nodes, task, to)
		left = left[done:]
		if _, lost := errors.AsType[*lostError](err); err != nil && !lost {
			return err
		}
	}
	return nil
}

// onOne makes a lab and does jobs on it until all are done or one has lost it, and says how many.
func (e *errand[J]) onOne(ctx context.Context, l Labs, jobs []J, nodes int, task *progress.Task, to *Taken) (done int, err error) {
	name := e.flavour.LabName("") + "-" + l.Name
	up, err := labs.Up(ctx, labs.Options{
		Kind: l.Kind, Name: name, Nodes: nodes, Pods: e.flavour.Pods, Flannel: e.flavour.Flannel, KubeProxy: lab.IPTables, FlannelRules: lab.IPTables,
		Owned: true, Progress: task.Doing,
	})
	if err != nil {
		return 0, fmt.Errorf("a lab with %s: %w", e.flavour, err)
	}
	defer func() {
		task.Doing("removing the lab")
		if removeErr := (labs.Found{Kind: l.Kind, Name: name}).Remove(context.WithoutCancel(ctx)); removeErr != nil {
			err = removeErr
		}
	}()
	held, err := lock.Take(ctx, up)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	for _, j := range jobs {
		taken, err := j.run(ctx, held, task)
		to.Add(taken)
		done++
		if err != nil {
			return done, err
		}
	}
	return done, nil
}
