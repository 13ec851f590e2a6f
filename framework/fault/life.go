package fault

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/lock"
)

// Life runs the steps of one scenario on one lab. Plan lists them; each is a method of its name. Steps keep nothing between
// them but the undo journal on disk and the evidence, so that Inject and Heal may run in different processes.
type Life struct {
	Lab       *lock.Held
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

	// world is nil but in tests.
	world   *world
	saying  sync.Mutex
	details []string
	bundle  string
	// died is where packets were seen to die in the step; nil for one that does not look.
	died *Deaths
	// blind says why that cannot be seen; empty where it can.
	blind string
	// fresh is the bundle that was taken last; empty once anything has been changed since.
	fresh string
	// left is what the step "left" saw.
	left left
}

// Run runs the steps in order and stops at the first that fails. Its error says which one, and what to do next.
func (l *Life) Run(ctx context.Context, steps ...Step) ([]Result, error) {
	var results []Result
	for _, s := range steps {
		l.details, l.bundle, l.died = nil, "", nil
		l.Reporter.Begin(l.Scenario.Name, s)
		begun := time.Now()
		err := s.run(ctx)
		r := Result{
			Step: s.Name, About: s.About, Begun: begun.UTC(), Seconds: time.Since(begun).Seconds(), OK: err == nil,
			Details: l.details, Bundle: l.bundle, Deaths: l.died,
		}
		if err != nil {
			r.Error = err.Error()
		}
		results = append(results, r)
		l.Reporter.End(l.Scenario.Name, s, r)
		if err != nil {
			return results, fmt.Errorf("%s: step %q: %w", l.Scenario.Name, s.Name, err)
		}
	}
	return results, nil
}

func (l *Life) patience() time.Duration { return cmp.Or(l.Patience, 20*time.Second) }

// say may be called by several commands at a time.
func (l *Life) say(line string) {
	l.saying.Lock()
	defer l.saying.Unlock()
	l.details = append(l.details, line)
	l.Reporter.Detail(line)
}
