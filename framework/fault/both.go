package fault

import (
	"cmp"
	"context"
	"fmt"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/lab"
)

// BothNodes is how many nodes a lab needs for two faults at once, so that what one singles out is not what the other does: two for the
// first, and three for the second.
const BothNodes = 5

// apart is how many nodes further on the second of two faults begins.
const apart = 2

// Pair is two faults at once, on different nodes of one lab where they single out any.
type Pair struct{ First, Second Scenario }

// PairOf puts two faults together in the order in which both can be in force, or says why they cannot.
func PairOf(a, b Scenario) (p Pair, why string) {
	p = Pair{a, b}
	if a.EndsWithRestart && b.Restarts || b.WantsHealthy {
		p = Pair{b, a}
	}
	switch {
	case p.Second.WantsHealthy:
		why = "each needs a lab on which every probe passes"
	case p.First.EndsWithRestart && p.Second.Restarts:
		why = "each starts flanneld anew, which ends the other"
	case a.Pods != "" && b.Pods != "" && a.Pods != b.Pods:
		why = fmt.Sprintf("%s needs --pods=%s, and %s --pods=%s", a.Name, a.Pods, b.Name, b.Pods)
	case a.Flannel != "" && b.Flannel != "" && a.Flannel != b.Flannel:
		why = fmt.Sprintf("%s needs flannel %s, and %s %s", a.Name, a.Flannel, b.Name, b.Flannel)
	case a.Exercise != nil && b.Exercise != nil:
		why = "each shows in traffic of its own, which is not told apart"
	}
	return p, why
}

// Scenario is the pair as one fault: injected one after the other, with the symptom of both. Its detector and remedy are the first's.
func (p Pair) Scenario() Scenario {
	s := Scenario{
		Name: p.First.Name + " + " + p.Second.Name, Summary: p.First.Summary + ", and " + p.Second.Summary, Detector: p.First.Detector,
		Pods: cmp.Or(p.First.Pods, p.Second.Pods), Flannel: cmp.Or(p.First.Flannel, p.Second.Flannel),
		Unavailable: func(l lab.Lab) string {
			if len(l.Nodes()) < BothNodes {
				return fmt.Sprintf("two faults at once need %d nodes", BothNodes)
			}
			return cmp.Or(p.First.Missing(l), p.Second.Missing(shifted{l}))
		},
		Inject: p.First.Inject,
		Then: func(ctx context.Context, l lab.Lab, say func(string)) error {
			return p.Second.Inject(ctx, shifted{l}, say)
		},
		Want: p.First.Want,
	}
	if p.First.MustFail != nil || p.Second.MustFail != nil {
		s.MustFail = func(l lab.Lab, probe evidence.Probe) bool {
			return p.First.breaks(l, probe) || p.Second.breaks(shifted{l}, probe)
		}
	}
	s.Deaths = func(l lab.Lab) []Death { return append(p.First.deathsOn(l), p.Second.deathsOn(shifted{l})...) }
	switch {
	case p.First.Exercise != nil:
		s.Exercise = p.First.Exercise
	case p.Second.Exercise != nil:
		s.Exercise = func(ctx context.Context, l lab.Lab) (Seen, error) { return p.Second.Exercise(ctx, shifted{l}) }
	}
	return s
}

// Causes are what must be reported of both, by detector.
func (p Pair) Causes(l lab.Lab) map[string][]Subject {
	causes := map[string][]Subject{p.First.Detector.Name: p.First.Want(l)}
	causes[p.Second.Detector.Name] = append(causes[p.Second.Detector.Name], p.Second.Want(shifted{l})...)
	return causes
}

// deathsOn are the places where the fault's packets die.
func (s Scenario) deathsOn(l lab.Lab) []Death {
	if s.Deaths == nil {
		return nil
	}
	return s.Deaths(l)
}

// breaks says that the fault breaks a probe.
func (s Scenario) breaks(l lab.Lab, probe evidence.Probe) bool {
	return s.MustFail != nil && s.MustFail(l, probe)
}

// shifted is a lab whose first nodes come last: scenarios single out nodes by their place.
type shifted struct{ lab.Lab }

// Nodes are not sorted by name, but in the order of the parts that they play.
func (s shifted) Nodes() []lab.Node {
	all := s.Lab.Nodes()
	at := min(apart, len(all))
	return append(all[at:len(all):len(all)], all[:at]...)
}
