package fault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/probe"
	"github.com/netfault/netfault/framework/wait"
)

// symptom is what makes an injection count: probes that must fail do, the others pass, and packets die where the scenario says. The
// probes are part of the evidence that the next step judges; where packets die is the kernel's word, which no detector hears.
func (l *Life) symptom(ctx context.Context) error {
	var seen Seen
	var ownDrops []dropped
	if l.Scenario.Exercise != nil {
		var err error
		ownDrops, err = l.watched(ctx, func() (err error) {
			seen, err = l.exercise(ctx, true)
			return err
		})
		if err != nil {
			return err
		}
	}
	var broken []string
	err := wait.Looks(ctx, l.patience(), "the symptom", func(ctx context.Context) error {
		var results []evidence.Probe
		probeDrops, err := l.watched(ctx, func() (err error) {
			results, err = l.take(ctx, FaultyBundle, seen)
			return err
		})
		if err != nil {
			return err
		}
		if broken, err = l.asExpected(results, l.Scenario.MustFail); err != nil {
			return err
		}
		if l.Scenario.Show != nil {
			broken = l.Scenario.Show(l.Lab, results)
		}
		return l.deaths(slices.Concat(ownDrops, probeDrops), slices.Concat(seen.Lost, lostProbes(l.Lab, results)))
	})
	if err != nil {
		return err
	}
	for _, line := range broken {
		l.say(line)
	}
	l.tellDeaths()
	return nil
}

// watched does something and returns the packets that the kernel dropped meanwhile. Where that cannot be seen, it is done all the
// same, and l.blind says why.
func (l *Life) watched(ctx context.Context, do func() error) ([]dropped, error) {
	stop, err := l.in().watch(ctx, l.Lab)
	if l.blind = notMeasured(err); l.blind != "" {
		return nil, do()
	}
	if err != nil {
		return nil, err
	}
	doErr := do()
	seen, err := stop()
	return seen, errors.Join(doErr, err)
}

// deaths keeps for the step's result where packets of the lost connections died, and holds it against what the scenario declares.
func (l *Life) deaths(seen []dropped, lost []Lost) error {
	if l.blind != "" {
		l.died = &Deaths{NotMeasured: l.blind}
		return nil
	}
	d := deathsOf(l.Lab, seen, lost)
	l.died = &d
	return d.agree(l.Scenario.deathsOn(l.Lab), lost)
}

// tellDeaths says where packets died.
func (l *Life) tellDeaths() {
	switch {
	case l.died.NotMeasured != "":
		l.say("where packets die was not measured: " + l.died.NotMeasured)
	case len(l.died.Drops) == 0:
		l.say("the kernel drops no packet of these connections")
	}
	for _, s := range l.died.Drops {
		l.say(s.String())
	}
}

// asExpected returns a line for each probe that failed as it must, or an error that names the first few probes that
// did not do what they must.
func (l *Life) asExpected(results []evidence.Probe, mustFail Which) ([]string, error) {
	var broken, wrong []string
	for _, p := range results {
		what := probe.Name(p)
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
