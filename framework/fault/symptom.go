package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/probe"
	"github.com/netfault/netfault/framework/wait"
)

// symptom is what makes an injection count: probes that must fail do, and the others pass. They are part of the evidence that
// the next step judges.
func (l *Life) symptom(ctx context.Context) error {
	seen, err := l.exercise(ctx, true)
	if err != nil {
		return err
	}
	var broken []string
	err = wait.Until(ctx, l.patience(), "the symptom", func(ctx context.Context) error {
		results, err := l.take(ctx, FaultyBundle, seen)
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
func (l *Life) asExpected(results []evidence.Probe, mustFail Which) ([]string, error) {
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
