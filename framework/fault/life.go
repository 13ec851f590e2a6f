package fault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/probe"
	"github.com/netfault/netfault/framework/snapshot"
	"github.com/netfault/netfault/framework/undo"
	"github.com/netfault/netfault/framework/wait"
)

const (
	// holdFor is how long probes must go on passing before a network counts as healed.
	holdFor = time.Second
	// holdPace is the time between two rounds of them: enough to see a fault come back, without filling conntrack.
	holdPace = 100 * time.Millisecond
)

// Life runs the steps of one scenario on one lab. A step is one method; steps keep nothing between them but the undo
// journal on disk and the evidence, so that Inject and Heal may run in different processes.
type Life struct {
	Lab       lab.Lab
	Scenario  Scenario
	Detectors []detectors.Detector
	// Bundles is the folder that receives the evidence of each step that judges any.
	Bundles string
	// Tool is the program and its version, for the bundles.
	Tool     string
	Reporter Reporter
	// Remedy is the name of one of the finding's alternatives, to be run in place of its first remedy.
	Remedy string
	// Patience is how long a symptom, a finding or a recovery may take to show; 20 s if 0.
	Patience time.Duration

	details []string
	bundle  string
	// fresh is the bundle that was taken last; empty once anything has been changed since.
	fresh string
}

// Inject are the steps from a healthy lab to a recognised fault.
func (l *Life) Inject() []Step {
	return []Step{
		{"healthy", "every probe passes and every detector is clean", l.healthy},
		{"recorded", "the undo journal is on disk", l.recorded},
		{"injected", l.Scenario.Summary, l.injected},
		{"symptom", "what the fault breaks fails, and nothing else", l.symptom},
		{"detected", l.Scenario.Detector + " reports it, and no other detector of a cause", l.detected},
	}
}

// Heal are the steps from a fault in force back to where it began.
func (l *Life) Heal() []Step {
	var steps []Step
	// What does not help is shown once, before the first remedy.
	if l.Scenario.Attempts != nil && l.Remedy == "" {
		steps = append(steps, Step{"tried", "what people try first does not heal", l.tried})
	}
	about := "the finding's own remedy is run as printed"
	if l.Remedy != "" {
		about = "the finding's other remedy is run as printed: " + l.Remedy
	}
	return append(steps,
		Step{"remedied", about, l.remedied},
		Step{"recovered", fmt.Sprintf("every probe passes again, and for %v more", holdFor), l.recovered},
		Step{"clean", "every detector is clean again", l.clean},
		Step{"undone", "the journal is undone", l.undone},
		Step{"compared", "the kernel's state is what it was", l.compared},
	)
}

// Run runs the steps in order and stops at the first that fails. Its error says which one, and what to do next.
func (l *Life) Run(ctx context.Context, steps ...Step) ([]Result, error) {
	var results []Result
	for _, s := range steps {
		l.details, l.bundle = nil, ""
		l.Reporter.Begin(l.Scenario.Name, s)
		begun := time.Now()
		err := s.run(ctx)
		r := Result{
			Step: s.Name, About: s.About, Begun: begun.UTC(), Seconds: time.Since(begun).Seconds(), OK: err == nil,
			Details: l.details, Bundle: l.bundle,
		}
		if err != nil {
			r.Error = err.Error()
		}
		results = append(results, r)
		l.Reporter.End(l.Scenario.Name, r)
		if err != nil {
			return results, fmt.Errorf("%s: step %q: %w", l.Scenario.Name, s.Name, err)
		}
	}
	return results, nil
}

func (l *Life) patience() time.Duration { return cmp.Or(l.Patience, 20*time.Second) }

func (l *Life) say(line string) {
	l.details = append(l.details, line)
	l.Reporter.Detail(line)
}

func (l *Life) healthy(ctx context.Context) error {
	if j, err := undo.Read(l.Lab); err == nil {
		return fmt.Errorf("%s is in force on %s: `netfault fault heal` or `netfault reset` first", j.Scenario, l.Lab.Name())
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return l.allClean(ctx, "healthy")
}

// allClean probes until everything passes, and then wants every detector to be silent.
func (l *Life) allClean(ctx context.Context, bundle string) error {
	if err := l.probesPass(ctx); err != nil {
		return err
	}
	seen, err := l.exercise(ctx, false)
	if err != nil {
		return err
	}
	if _, err := l.take(ctx, bundle, seen); err != nil {
		return err
	}
	report, err := l.judge(ctx)
	if err != nil {
		return err
	}
	for _, f := range report.Findings {
		if f.Verdict != detectors.Clean && f.Verdict != detectors.NotApplicable {
			return fmt.Errorf("%s is not clean: %s: %s", f.Detector, f.Verdict, f.Summary)
		}
	}
	l.say(fmt.Sprintf("%d detectors, all clean", len(l.Detectors)))
	return nil
}

func (l *Life) probesPass(ctx context.Context) error {
	var n int
	err := wait.Until(ctx, l.patience(), "every probe to pass", func(ctx context.Context) error {
		results, err := probe.Run(ctx, l.Lab)
		n = len(results)
		return errors.Join(err, probe.AllPass(l.Lab, results))
	})
	if err == nil {
		l.say(fmt.Sprintf("%d probes, all pass", n))
	}
	return err
}

// exercise sends the scenario's own traffic, if it has any: it must break where the fault is in force, and nowhere else.
func (l *Life) exercise(ctx context.Context, faulty bool) (Seen, error) {
	if l.Scenario.Exercise == nil {
		return Seen{}, nil
	}
	seen, err := l.Scenario.Exercise(ctx, l.Lab)
	if err != nil {
		return seen, err
	}
	for _, line := range seen.Lines {
		l.say(line)
	}
	switch {
	case faulty && len(seen.Broken) == 0:
		return seen, errors.New("everything works, and must not")
	case !faulty && len(seen.Broken) > 0:
		return seen, fmt.Errorf("%d do not work: %s", len(seen.Broken), strings.Join(seen.Broken, "; "))
	}
	return seen, nil
}

func (l *Life) recorded(ctx context.Context) error {
	j, err := undo.Begin(ctx, l.Lab, l.Scenario.Name)
	if err != nil {
		return err
	}
	l.say(fmt.Sprintf("state of %d machines, flanneld on %s", len(j.Before.Machines), strings.Join(j.Before.Flannel, " ")))
	return nil
}

func (l *Life) injected(ctx context.Context) error {
	l.fresh = ""
	return l.Scenario.Inject(ctx, l.Lab, l.say)
}

// symptom is what makes an injection count: probes that must fail do, and the others pass. They are part of the evidence that
// the next step judges.
func (l *Life) symptom(ctx context.Context) error {
	seen, err := l.exercise(ctx, true)
	if err != nil {
		return err
	}
	var broken []string
	err = wait.Until(ctx, l.patience(), "the symptom", func(ctx context.Context) error {
		results, err := l.take(ctx, faultyBundle, seen)
		if err != nil {
			return err
		}
		if broken, err = l.asExpected(results, l.Scenario.MustFail); err == nil && l.Scenario.Show != nil {
			broken = l.Scenario.Show(l.Lab, results)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, line := range broken {
		l.say(line)
	}
	return nil
}

// asExpected returns a line for each probe that failed as it must, or an error that names the first few probes that
// did not do what they must.
func (l *Life) asExpected(results []evidence.Probe, mustFail func(lab.Lab, evidence.Probe) bool) ([]string, error) {
	var broken, wrong []string
	for _, p := range results {
		what := fmt.Sprintf("%s %s → %s", p.Kind, p.From, p.To)
		failure := probe.Failure(l.Lab, p)
		switch must := mustFail != nil && mustFail(l.Lab, p); {
		case must && failure == "":
			wrong = append(wrong, what+" passes but must fail")
		case !must && failure != "":
			wrong = append(wrong, what+" fails but must pass: "+failure)
		case must:
			broken = append(broken, what+": "+failure)
		}
	}
	if len(broken)+len(wrong) == 0 && mustFail != nil {
		return nil, errors.New("the scenario names no probe that must fail")
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("%d of %d probes: %s", len(wrong), len(results), strings.Join(wrong[:min(len(wrong), 6)], "; "))
	}
	return broken, nil
}

// detected judges the evidence of the symptom. That may have been read while flanneld was still at work: then it is taken
// again, and the report says how often.
func (l *Life) detected(ctx context.Context) error {
	var found []string
	looks := 0
	err := wait.Until(ctx, l.patience(), "the finding", func(ctx context.Context) error {
		if l.fresh == "" {
			seen, err := l.exercise(ctx, true)
			if err != nil {
				return err
			}
			if _, err := l.take(ctx, faultyBundle, seen); err != nil {
				return err
			}
		}
		looks++
		report, err := l.judge(ctx)
		if err == nil {
			found, err = l.recognised(report)
		}
		if err != nil {
			l.fresh = ""
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, line := range found {
		l.say(line)
	}
	if looks > 1 {
		l.say(fmt.Sprintf("this is look %d: the state was still changing before", looks))
	}
	return nil
}

// recognised returns a line for each finding of the scenario's detector, or an error if they are not what they must be, or
// another detector of a cause speaks up.
func (l *Life) recognised(report detectors.Report) ([]string, error) {
	want := l.Scenario.Want(l.Lab)
	var found []Subject
	var lines []string
	kinds := l.kinds()
	for _, f := range report.Findings {
		switch {
		case f.Detector == l.Scenario.Detector && f.Verdict == detectors.Problem:
			found = append(found, Subject{f.Case, f.Node, f.Peer})
			lines = append(lines, f.Detector+": "+f.Summary)
		case f.Detector == l.Scenario.Detector && f.Verdict == detectors.Unknown:
			return nil, fmt.Errorf("%s does not know: %s", f.Detector, f.Summary)
		case kinds[f.Detector] == detectors.Cause && f.Verdict != detectors.Clean && f.Verdict != detectors.NotApplicable &&
			f.Detector != l.Scenario.Detector:
			return nil, fmt.Errorf("%s is not silent: %s: %s", f.Detector, f.Verdict, f.Summary)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s reports no problem, want %+v", l.Scenario.Detector, want)
	}
	if !slices.Equal(found, want) {
		return nil, fmt.Errorf("%s reports %+v, want %+v", l.Scenario.Detector, found, want)
	}
	return lines, nil
}

func (l *Life) kinds() map[string]detectors.Kind {
	kinds := map[string]detectors.Kind{}
	for _, d := range l.Detectors {
		kinds[d.Name] = d.Kind
	}
	return kinds
}

// tried runs what people try first, and shows that the symptom stays.
func (l *Life) tried(ctx context.Context) error {
	for _, a := range l.Scenario.Attempts(l.Lab) {
		l.say(a.Name + ":")
		l.fresh = ""
		if err := l.runCommands(ctx, a.Commands); err != nil {
			return err
		}
		mustFail := a.MustFail
		if mustFail == nil {
			mustFail = l.Scenario.MustFail
		}
		// What fails must go on failing for a while, since a remedy may take a moment to act.
		for deadline := time.Now().Add(holdFor); ; {
			results, err := probe.Run(ctx, l.Lab)
			if err != nil {
				return err
			}
			broken, err := l.asExpected(results, mustFail)
			if err != nil {
				return fmt.Errorf("%s: with flannel %s: %w", a.Name, l.Lab.Flannel().Version(), err)
			}
			if time.Now().After(deadline) {
				l.say(fmt.Sprintf("does not heal with flannel %s: %d probes fail, such as %s", l.Lab.Flannel().Version(), len(broken), broken[0]))
				break
			}
		}
	}
	return nil
}

// remedied judges the state as it is after what was tried, and runs what the findings say.
func (l *Life) remedied(ctx context.Context) error {
	if l.fresh == "" {
		seen, err := l.exercise(ctx, true)
		if err != nil {
			return err
		}
		if _, err := l.take(ctx, "remedied", seen); err != nil {
			return err
		}
	}
	report, err := l.judge(ctx)
	if err != nil {
		return err
	}
	l.fresh = ""
	var remedies int
	for _, f := range report.Findings {
		if f.Detector != l.Scenario.Detector || f.Verdict != detectors.Problem {
			continue
		}
		l.say(f.Detector + ": " + f.Summary)
		remedy, err := l.remedyOf(f)
		if err != nil {
			return err
		}
		if err := l.runCommands(ctx, remedy); err != nil {
			return err
		}
		remedies += len(remedy)
	}
	if remedies == 0 {
		return fmt.Errorf("%s has no remedy to run", l.Scenario.Detector)
	}
	return nil
}

// remedyOf returns the remedy to run: the finding's first, or the alternative that was asked for.
func (l *Life) remedyOf(f detectors.Finding) ([]detectors.Command, error) {
	if l.Remedy == "" {
		return f.Remedy, nil
	}
	var names []string
	for _, a := range f.Alternatives {
		if a.Name == l.Remedy {
			return a.Remedy, nil
		}
		names = append(names, a.Name)
	}
	return nil, fmt.Errorf("%s has no other remedy %q; it has: %q", f.Detector, l.Remedy, names)
}

func (l *Life) runCommands(ctx context.Context, commands []detectors.Command) error {
	for _, c := range commands {
		m, err := l.placeOf(c)
		if err != nil {
			return err
		}
		l.say(fmt.Sprintf("%s# %s", cmp.Or(c.Node, "kubectl"), c))
		if _, err := machine.Output(ctx, m, c.Argv...); err != nil {
			return err
		}
	}
	return nil
}

// placeOf is where a command of a remedy is run.
func (l *Life) placeOf(c detectors.Command) (machine.Machine, error) {
	if c.Node == "" {
		if l.Lab.API() == nil {
			return nil, fmt.Errorf("%s has no Kubernetes API, which %s needs", l.Lab.Name(), c)
		}
		return l.Lab.API(), nil
	}
	nodes := l.Lab.Nodes()
	i := slices.IndexFunc(nodes, func(n lab.Node) bool { return n.Name() == c.Node })
	if i < 0 {
		return nil, fmt.Errorf("no node %q to run %s on", c.Node, c)
	}
	return nodes[i], nil
}

func (l *Life) recovered(ctx context.Context) error {
	if err := l.probesPass(ctx); err != nil {
		return err
	}
	if _, err := l.exercise(ctx, false); err != nil {
		return err
	}
	var last []evidence.Probe
	rounds, retried := 0, 0
	pace := time.NewTicker(holdPace)
	defer pace.Stop()
	for deadline := time.Now().Add(holdFor); time.Now().Before(deadline); rounds++ {
		<-pace.C
		results, err := probe.Run(ctx, l.Lab)
		if err != nil {
			return err
		}
		if err := probe.AllPass(l.Lab, results); err != nil {
			return fmt.Errorf("healed, but not for long: %w", err)
		}
		retried += probe.Retried(results)
		last = results
	}
	if l.Scenario.Show != nil {
		for _, line := range l.Scenario.Show(l.Lab, last) {
			l.say(line)
		}
	}
	l.say(fmt.Sprintf("and %d rounds more; %d probes needed a second connection", rounds, retried))
	return nil
}

func (l *Life) clean(ctx context.Context) error { return l.allClean(ctx, "healed") }

func (l *Life) undone(ctx context.Context) error {
	j, err := undo.Read(l.Lab)
	if err != nil {
		return err
	}
	now, err := undo.Record(ctx, l.Lab)
	if err != nil {
		return err
	}
	for _, line := range undo.Diff(j.Before, now) {
		l.say(line)
	}
	return undo.Restore(ctx, l.Lab, j.Before)
}

// compared closes the journal only once the state is seen to be what it was, and stays so.
func (l *Life) compared(ctx context.Context) error {
	j, err := undo.Read(l.Lab)
	if err != nil {
		return err
	}
	if err := l.probesPass(ctx); err != nil {
		return err
	}
	err = wait.Until(ctx, l.patience(), "the state before the fault", func(ctx context.Context) error {
		now, err := undo.Record(ctx, l.Lab)
		if err != nil {
			return err
		}
		if left := undo.Diff(j.Before, now); len(left) > 0 {
			return fmt.Errorf("%d differences from before the fault:\n  %s", len(left), strings.Join(left, "\n  "))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return undo.Undo(ctx, l.Lab)
}

// faultyBundle is the evidence of the symptom.
const faultyBundle = "faulty"

// take takes a bundle, with fresh probes and what was captured, and returns the probes.
func (l *Life) take(ctx context.Context, name string, seen Seen) ([]evidence.Probe, error) {
	dir := filepath.Join(l.Bundles, l.Scenario.Name, name)
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	probes, err := snapshot.Take(ctx, l.Lab, l.Tool, dir)
	if err != nil {
		return nil, err
	}
	for _, c := range seen.Captures {
		file := filepath.Join(dir, filepath.FromSlash(evidence.CaptureFile(c.Node, c.Name+".pcap")))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, c.PCAP, 0o644); err != nil {
			return nil, err
		}
	}
	l.fresh = dir
	return probes, nil
}

// judge runs the detectors over the bundle that was taken last.
func (l *Life) judge(ctx context.Context) (detectors.Report, error) {
	if l.fresh == "" {
		return detectors.Report{}, errors.New("nothing was collected since the lab was changed")
	}
	l.bundle = l.fresh
	b, err := evidence.Open(l.bundle)
	if err != nil {
		return detectors.Report{}, err
	}
	defer b.Close()
	return detectors.Run(ctx, b, l.Detectors), nil
}
