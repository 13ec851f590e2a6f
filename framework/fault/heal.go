package fault

import (
	"context"
	"fmt"
	"slices"

	"github.com/netfault/netfault/framework/probe"
)

// left is how much there is of a fault that was injected before: people may have run its remedy since, or a part of it.
type left int

const (
	// leftWhole is a fault as it was injected.
	leftWhole left = iota
	// leftInPart is one that somebody has begun to heal, or has changed.
	leftInPart
	// leftNothing is one whose detector reports no problem any more, so that there is no remedy to run.
	leftNothing
)

// Heal runs the steps from a fault in force back to where it began. It looks first what is left of the fault: what people try
// first is shown on a whole one alone, since it must not break what somebody has mended, and the remedy is run where there is
// something to heal. All the rest is proved in any case.
func (l *Life) Heal(ctx context.Context) ([]Result, error) {
	steps := numbered(append([]Step{{Name: "left", About: "what is left of the fault", run: l.lookWhatIsLeft}}, l.Plan()[injectSteps:]...))
	results, err := l.Run(ctx, steps[0])
	if err != nil {
		return results, err
	}
	steps = numbered(slices.DeleteFunc(steps, func(s Step) bool {
		return s.Name == triedStep && l.left != leftWhole || s.Name == remediedStep && l.left == leftNothing
	}))
	more, err := l.Run(ctx, steps[1:]...)
	return append(results, more...), err
}

// lookWhatIsLeft judges the lab as it is, and expects nothing.
func (l *Life) lookWhatIsLeft(ctx context.Context) error {
	sight, err := l.Look(ctx, "left")
	if err != nil {
		return err
	}
	probes, seen, report := sight.Probes, sight.Seen, sight.Report
	problems, err := l.onlyOwn(report)
	if err != nil {
		return err
	}
	_, symptomErr := l.asExpected(probes, l.Scenario.MustFail)
	_, reportErr := l.recognised(report)
	brokenTraffic := l.Scenario.Exercise == nil || len(seen.Broken) > 0
	failed := 0
	for _, p := range probes {
		if probe.Failure(l.Lab, p) != "" {
			failed++
		}
	}
	broken := fmt.Sprintf("%d of %d probes fail", failed, len(probes))
	if len(seen.Broken) > 0 {
		broken += fmt.Sprintf(", and %d things of its own traffic", len(seen.Broken))
	}
	switch {
	case len(problems) == 0 && failed+len(seen.Broken) == 0:
		l.left = leftNothing
		l.say(fmt.Sprintf("nothing: it is healed already, and no remedy is run; %s reports no problem", l.Scenario.Detector.Name))
	case len(problems) == 0:
		l.left = leftNothing
		l.say(fmt.Sprintf("%s reports no problem, so that there is no remedy to run; but %s", l.Scenario.Detector.Name, broken))
	case symptomErr == nil && reportErr == nil && brokenTraffic:
		l.left = leftWhole
		l.say("all of it")
	default:
		l.left = leftInPart
		l.say("a part: " + broken)
		for _, f := range problems {
			l.say(f.Detector + ": " + f.Summary)
		}
	}
	return nil
}
