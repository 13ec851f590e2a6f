package fault

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/lab"
)

// five is a lab of five nodes, of which only the names are asked for.
type five struct{ lab.Lab }

func (five) Nodes() []lab.Node {
	var nodes []lab.Node
	for _, name := range []string{"n1", "n2", "n3", "n4", "n5"} {
		nodes = append(nodes, lab.Node{Machine: fakeMachine{name: name}})
	}
	return nodes
}

// at is a scenario that breaks its lab's first node, and writes down where it was injected.
func at(name string, injected *[]string) Scenario {
	return Scenario{
		Name: name, Detector: detectors.Detector{Name: "broken-link"}, MustFail: Crossing(Nth(0)),
		Inject: func(_ context.Context, l lab.Lab, _ func(string)) error {
			*injected = append(*injected, name+" on "+l.Nodes()[0].Name())
			return nil
		},
		Want: func(l lab.Lab) []Subject { return []Subject{{Case: name, Node: l.Nodes()[0].Name()}} },
	}
}

// What a restart of flanneld ends is injected after what restarts it, each fault singles out nodes of its own, and both show.
func TestPair(t *testing.T) {
	var injected []string
	ends, restarts := at("ends", &injected), at("restarts", &injected)
	ends.EndsWithRestart, restarts.Restarts = true, true
	p, why := PairOf(ends, restarts)
	if why != "" {
		t.Fatal(why)
	}
	s := p.Scenario()
	for _, inject := range []func(context.Context, lab.Lab, func(string)) error{s.Inject, s.Then} {
		if err := inject(t.Context(), five{}, func(string) {}); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(injected, []string{"restarts on n1", "ends on n3"}) {
		t.Errorf("injected %q", injected)
	}
	if got := p.Causes(five{})["broken-link"]; !slices.Equal(got, []Subject{{Case: "restarts", Node: "n1"}, {Case: "ends", Node: "n3"}}) {
		t.Errorf("causes are %v", got)
	}
	for ends, want := range map[string]bool{"n1 n2": true, "n4 n1": true, "n3 n4": true, "n4 n3": true, "n3 n1": true, "n4 n5": false} {
		from, to, _ := strings.Cut(ends, " ")
		if got := s.MustFail(five{}, evidence.Probe{Kind: evidence.ProbePod, From: from, To: to}); got != want {
			t.Errorf("the probe %s must fail: %t, want %t", ends, got, want)
		}
	}
}

func TestPairsThatCannotBe(t *testing.T) {
	var injected []string
	exercise := func(context.Context, lab.Lab) (Seen, error) { return Seen{}, nil }
	for why, change := range map[string]func(a, b *Scenario){
		"each starts flanneld anew": func(a, b *Scenario) {
			a.Restarts, a.EndsWithRestart, b.Restarts, b.EndsWithRestart = true, true, true, true
		},
		"each needs a lab on which every probe passes": func(a, b *Scenario) { a.WantsHealthy, b.WantsHealthy = true, true },
		"a needs --pods=routed, and b --pods=docker0":  func(a, b *Scenario) { a.Pods, b.Pods = lab.Routed, lab.DockerBridge },
		"a needs flannel v0.7.1, and b v0.8.0":         func(a, b *Scenario) { a.Flannel, b.Flannel = "v0.7.1", "v0.8.0" },
		"each shows in traffic of its own":             func(a, b *Scenario) { a.Exercise, b.Exercise = exercise, exercise },
	} {
		a, b := at("a", &injected), at("b", &injected)
		change(&a, &b)
		if _, got := PairOf(a, b); !strings.Contains(got, why) {
			t.Errorf("%q, want %q", got, why)
		}
	}
}
