package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/netfault/netfault/framework/probe"
	"github.com/netfault/netfault/framework/wait"
)

// healthy wants a lab on which nothing is wrong, and no fault in force.
func (l *Life) healthy(ctx context.Context) error {
	if err := l.in().none(l.Lab); err != nil {
		return err
	}
	return l.allClean(ctx, HealthyBundle)
}

// allClean probes until everything passes, and then wants every detector to be silent.
func (l *Life) allClean(ctx context.Context, bundle string) error {
	if err := l.probesPass(ctx); err != nil {
		return err
	}
	if err := l.look(ctx, bundle, false); err != nil {
		return err
	}
	report, err := l.judge(ctx)
	if err != nil {
		return err
	}
	for _, f := range report.Findings {
		if !isQuiet(f) {
			return &MisjudgedError{fmt.Errorf("%s is not clean: %s: %s", f.Detector, f.Verdict, f.Summary)}
		}
	}
	l.say(fmt.Sprintf("%d detectors, all clean", len(l.Detectors)))
	return nil
}

func (l *Life) probesPass(ctx context.Context) error {
	var n int
	err := wait.Looks(ctx, l.patience(), "every probe to pass", func(ctx context.Context) error {
		results, err := l.in().probe(ctx, l.Lab)
		n = len(results)
		return errors.Join(err, probe.AllPass(l.Lab, results))
	})
	if err == nil {
		l.say(fmt.Sprintf("%d probes, all pass", n))
	}
	return err
}

// send sends the scenario's own traffic, if it has any.
func (l *Life) send(ctx context.Context) (Seen, error) {
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
	return seen, nil
}

// exercise sends the scenario's own traffic, if it has any: it must break where the fault is in force, and nowhere else.
func (l *Life) exercise(ctx context.Context, faulty bool) (Seen, error) {
	seen, err := l.send(ctx)
	if err != nil || l.Scenario.Exercise == nil {
		return seen, err
	}
	switch {
	case faulty && len(seen.Broken) == 0:
		return seen, errors.New("everything works, and must not")
	case !faulty && len(seen.Broken) > 0:
		return seen, fmt.Errorf("%d do not work: %s", len(seen.Broken), strings.Join(seen.Broken, "; "))
	}
	return seen, nil
}
