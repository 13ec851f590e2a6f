package training

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/gate"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/probe"
	"github.com/netfault/netfault/framework/undo"
	"github.com/netfault/netfault/framework/wait"
)

const (
	// grace is how long a remedy may take to show in the probes after it was run: flanneld has to start.
	grace = time.Second
	// eventLimit is how long the commands of one event may take, and the network to be whole again after it.
	eventLimit = 20 * time.Second
)

// Checker judges what became of an exercise, by effects alone: it does not know what was typed.
type Checker struct {
	Exercise *Exercise
	// Life is that of the fault on the lab, with all detectors.
	Life *fault.Life
	// Faulty is the lab as it was when the alarm went.
	Faulty Faulty
}

// Faulty is the lab as it was when the alarm went.
type Faulty struct {
	Recorded undo.Recorded    `json:"recorded"`
	Probes   []evidence.Probe `json:"probes"`
	// Findings are those about the cause, of which hints and the debrief take their values.
	Findings []detectors.Finding `json:"findings"`
	Values   Values              `json:"values"`
	// OtherAlarms are those that mean nothing.
	OtherAlarms []string `json:"otherAlarms,omitempty"`
	// NoiseWays are the links, routes and policy rules of noise that came later, by machine: nobody is blamed for them.
	NoiseWays map[string][]string `json:"noiseWays,omitempty"`
}

// Result is what a check came to.
type Result struct {
	Verdict Verdict `json:"verdict"`
	// Lines say why, in the words of the symptom: what does not work, or what is gone.
	Lines []Told `json:"lines,omitempty"`
	// Event is what brought the symptom back; nil where nothing was tried, or nothing did.
	Event Told `json:"event,omitempty"`
}

// HealedBundle is the name of the evidence that a check takes of a lab on which all traffic passes.
const HealedBundle = "checked"

// Check judges. Its error is that this cannot be told.
func (c *Checker) Check(ctx context.Context) (Result, error) {
	before, err := undo.Read(c.Life.Lab)
	if errors.Is(err, fs.ErrNotExist) {
		return Result{}, &Error{Told: told(
			"the fault was undone from outside, as a reset of all labs does: `netfault train reset` brings it back",
			"故障已被从外部撤销，例如重置了所有实验网络：用 `netfault train reset` 恢复")}
	}
	if err != nil {
		return Result{}, err
	}
	c.flanneldStarts(ctx, nil)
	now, err := c.settles(ctx)
	if err != nil {
		return Result{}, err
	}
	if len(now) > 0 {
		return c.failed(ctx, now), nil
	}
	return c.passing(ctx, before.Before)
}

// flanneldStarts gives flanneld time where Kubernetes starts it: its pod has containers that run before it. It must run on these nodes.
// What does not run after that shows in the traffic, or does not matter.
func (c *Checker) flanneldStarts(ctx context.Context, on []string) {
	flannel := c.Life.Lab.Flannel()
	if c.Life.Lab.API() == nil {
		return // its systemctl waits
	}
	_ = wait.Until(ctx, eventLimit, "flanneld to be ready", func(ctx context.Context) error {
		starting, err := flannel.Starting(ctx)
		if err != nil {
			return err
		}
		running, err := flannel.Running(ctx)
		if err != nil {
			return err
		}
		for _, name := range on {
			if !slices.Contains(running, name) {
				starting = append(starting, name)
			}
		}
		if len(starting) > 0 {
			return fmt.Errorf("it is not on %s", strings.Join(starting, ", "))
		}
		return nil
	})
}

var errStillFails = errors.New("it does not yet")

// settles gives the network some time to pass all traffic, and returns the paths that fail after it. A round of probes that began
// before the network had changed shows something of both states, and so is not the last.
func (c *Checker) settles(ctx context.Context) (paths, error) {
	err := wait.Until(ctx, grace, "traffic to pass", func(ctx context.Context) error {
		now, err := c.probe(ctx)
		if err == nil && len(now) > 0 {
			err = errStillFails
		}
		return err
	})
	if err == nil {
		return nil, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return c.probe(ctx) // which tells what else is wrong, too
}

// failed judges a lab on which paths fail. Where none of them failed when the alarm went, that is not what the pager said any more.
func (c *Checker) failed(ctx context.Context, now paths) Result {
	symptom, others := now.both(failing(c.Life.Lab, c.Faulty.Probes))
	if len(symptom) == 0 && !c.trafficFails(ctx) {
		return Result{Verdict: Damage, Lines: alsoBroken(others)}
	}
	return Result{Verdict: Broken, Lines: slices.Concat(symptom.lines(), alsoBroken(others))}
}

// alsoBroken tells of paths that worked when the alarm went.
func alsoBroken(p paths) []Told {
	var all []Told
	for _, line := range p.lines() {
		all = append(all, told("worked when the alarm went, and does not now: "+line[English], "告警时是通的，现在不通："+line[Chinese]))
	}
	return all
}

// probe returns the paths that fail now.
func (c *Checker) probe(ctx context.Context) (paths, error) {
	probes, err := probe.Run(ctx, c.Life.Lab)
	if err != nil {
		return nil, err
	}
	return failing(c.Life.Lab, probes), nil
}

// trafficFails reports whether the scenario's own traffic fails, where it has any. What cannot be sent does.
func (c *Checker) trafficFails(ctx context.Context) bool {
	if c.Life.Scenario.Exercise == nil {
		return false
	}
	seen, err := c.Life.Scenario.Exercise(ctx, c.Life.Lab)
	return err != nil || len(seen.Broken) > 0
}

// passing judges a lab on which every probe passes: it must go on so, nothing may be gone, and the cause must be.
func (c *Checker) passing(ctx context.Context, before undo.Recorded) (Result, error) {
	l := c.Life.Lab
	again, err := c.hold(ctx)
	if err != nil {
		return Result{}, err
	}
	if len(again) > 0 {
		return c.failed(ctx, again), nil
	}
	sight, err := c.Life.Look(ctx, HealedBundle)
	if err != nil {
		return Result{}, err
	}
	if len(sight.Seen.Broken) > 0 {
		return Result{Verdict: Broken, Lines: toldAll(sight.Seen.Broken)}, nil
	}
	now, err := undo.Record(ctx, l)
	if err != nil {
		return Result{}, err
	}
	lost, err := l.Broken(ctx)
	if err != nil {
		return Result{}, err
	}
	if all := append(toldAll(lost), damage(before, c.Faulty, now)...); len(all) > 0 {
		return Result{Verdict: Damage, Lines: all}, nil
	}
	causes, err := c.causes(sight.Report)
	if err != nil {
		return Result{}, err
	}
	for _, event := range c.Exercise.Events {
		again, err := c.provoke(ctx, event)
		if err != nil || len(again) > 0 {
			return Result{Verdict: Lucky, Lines: again, Event: event.Name}, err
		}
	}
	if len(causes) > 0 {
		return Result{Verdict: Lucky}, nil
	}
	return Result{Verdict: Healed}, nil
}

// hold probes for a while, and returns what fails in it.
func (c *Checker) hold(ctx context.Context) (again paths, err error) {
	err = fault.Hold(ctx, func(ctx context.Context) error {
		var err error
		if again, err = c.probe(ctx); err == nil && len(again) > 0 {
			err = errStillFails
		}
		return err
	})
	if errors.Is(err, errStillFails) {
		err = nil
	}
	return again, err
}

// causes are the findings of causes. Where one does not know, nobody can say that the network is healed.
func (c *Checker) causes(r detectors.Report) ([]detectors.Finding, error) {
	var all []detectors.Finding
	for _, f := range r.Findings {
		i := slices.IndexFunc(c.Life.Detectors, func(d detectors.Detector) bool { return d.Name == f.Detector })
		switch {
		case i < 0 || c.Life.Detectors[i].Kind != detectors.Cause:
		case f.Verdict == detectors.Problem:
			all = append(all, f)
		case f.Verdict == detectors.Unknown:
			return nil, &Error{Told: told(
				"traffic passes, but a part of the network cannot be judged: "+f.Summary,
				"流量是通的，但网络有一部分无法判断："+inChinese(f.Summary))}
		}
	}
	return all, nil
}

// provoke lets an everyday event happen, and returns what does not work after it, though it has had time to.
func (c *Checker) provoke(ctx context.Context, e Event) ([]Told, error) {
	var running []string
	if c.Life.Lab.API() != nil {
		var err error
		if running, err = c.Life.Lab.Flannel().Running(ctx); err != nil {
			return nil, err
		}
	}
	if err := c.run(ctx, e.Lines); err != nil {
		return nil, err
	}
	c.flanneldStarts(ctx, running)
	now, err := c.settles(ctx)
	if err != nil {
		return nil, err
	}
	broken := now.lines()
	if len(broken) == 0 && c.Life.Scenario.Exercise != nil {
		seen, err := c.Life.Scenario.Exercise(ctx, c.Life.Lab)
		if err != nil {
			return nil, err
		}
		broken = toldAll(seen.Broken)
	}
	return broken, nil
}

// run runs commands on their machines, those of several side by side. One that fails is no error: what it is about may have been taken
// away, and what that means is seen in the traffic.
func (c *Checker) run(ctx context.Context, lines []Line) error {
	ctx, cancel := wait.Patience(ctx, eventLimit)
	defer cancel()
	byMachine := map[string][]string{}
	for _, t := range c.Faulty.Values.Type(lines) {
		byMachine[t.Machine] = append(byMachine[t.Machine], t.Command)
	}
	var group errgroup.Group
	for _, name := range slices.Sorted(maps.Keys(byMachine)) {
		m, err := MachineOf(c.Life.Lab, name)
		if err != nil {
			return err
		}
		group.Go(func() error {
			for _, command := range byMachine[name] {
				argv, err := gate.Words(command)
				if err != nil {
					return err
				}
				_, err = machine.Output(ctx, m, argv...)
				if _, failed := errors.AsType[*machine.ExitError](err); err != nil && !failed {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// MachineOf returns what a learner may log in to: a node, a pod, or the host outside.
func MachineOf(l lab.Lab, name string) (machine.Machine, error) {
	var names []string
	for _, m := range Machines(l) {
		if m.Name() == name {
			return m, nil
		}
		names = append(names, m.Name())
	}
	return nil, fmt.Errorf("there is no machine %q; there are: %s", name, strings.Join(names, ", "))
}

// Machines are what a learner may log in to.
func Machines(l lab.Lab) []machine.Machine {
	var all []machine.Machine
	for _, n := range l.Nodes() {
		all = append(all, n.Machine, n.Pod.Machine, n.Client.Machine)
	}
	return append(all, l.Outside().Machine)
}
