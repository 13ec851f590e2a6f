package fault

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors"
)

// detected judges the evidence of the symptom, once. Where steps run in another process than the one that saw the symptom,
// it is taken anew.
func (l *Life) detected(ctx context.Context) error {
	if l.fresh == "" {
		if err := l.look(ctx, FaultyBundle, true); err != nil {
			return err
		}
	}
	report, err := l.judge(ctx)
	if err != nil {
		return err
	}
	found, err := l.recognised(report)
	if err != nil {
		return &MisjudgedError{err}
	}
	for _, line := range found {
		l.say(line)
	}
	return nil
}

// recognised returns a line for each finding of the scenario's detector, or an error if they are not what they must be,
// another detector of a cause speaks up, or a symptom is left that they do not explain.
func (l *Life) recognised(report detectors.Report) ([]string, error) {
	own, err := l.onlyOwn(report)
	if err != nil {
		return nil, err
	}
	want := l.Scenario.Want(l.Lab)
	var found []Subject
	var lines []string
	symptoms := 0
	for _, f := range own {
		found = append(found, Subject{f.Case, f.Node, f.Peer})
		lines = append(lines, f.Detector+": "+f.Summary)
		symptoms += len(f.Explains)
	}
	if !slices.Equal(inOrder(found), inOrder(want)) {
		return nil, fmt.Errorf("%s reports %s, want %s", l.Scenario.Detector.Name, subjects(found), subjects(want))
	}
	if err := explained(report); err != nil {
		return nil, err
	}
	if symptoms > 0 {
		lines = append(lines, fmt.Sprintf("which explains all %d symptoms", symptoms))
	}
	return lines, nil
}

// inOrder are the subjects by node: nodes need not have their parts in the order of their names, by which detectors report.
func inOrder(all []Subject) []Subject {
	return slices.SortedFunc(slices.Values(all), func(a, b Subject) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Case, b.Case))
	})
}

// onlyOwn returns the problems of the scenario's detector, or an error if it does not know, or another detector of a cause
// speaks up.
func (l *Life) onlyOwn(report detectors.Report) ([]detectors.Finding, error) {
	var problems []detectors.Finding
	for _, f := range report.Findings {
		own := f.Detector == l.Scenario.Detector.Name
		switch {
		case own && f.Verdict == detectors.Problem:
			problems = append(problems, f)
		case own && f.Verdict == detectors.Unknown:
			return nil, fmt.Errorf("%s does not know: %s", f.Detector, f.Summary)
		case !own && l.isCause(f.Detector) && !isQuiet(f):
			return nil, fmt.Errorf("%s is not silent: %s: %s", f.Detector, f.Verdict, f.Summary)
		}
	}
	return problems, nil
}

// explained returns an error that names the symptoms that no finding explains.
func explained(report detectors.Report) error {
	if n := len(report.Unexplained); n > 0 {
		return fmt.Errorf("%d symptoms are left unexplained: %s", n, strings.Join(report.Unexplained[:min(n, 6)], "; "))
	}
	return nil
}

// isQuiet reports whether a finding says that nothing is wrong.
func isQuiet(f detectors.Finding) bool {
	return f.Verdict == detectors.Clean || f.Verdict == detectors.NotApplicable
}

func (l *Life) isCause(detector string) bool {
	return slices.ContainsFunc(l.Detectors, func(d detectors.Detector) bool { return d.Name == detector && d.Kind == detectors.Cause })
}
