package scenarios_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/gate"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
)

// setCase is what a detector tells apart, set by hand on the lab. It goes through the whole life of a fault: packets must be
// lost or changed, the case must be named, and its own remedy must heal. These are tests of the detectors' remedies and not
// faults: nothing in life brings them about in this way. Each detector has a file of them.
type setCase struct {
	name string
	// want is what must be reported, and all of it.
	want fault.Subject
	// mustFail says which probes must fail; nil if none.
	mustFail fault.Which
	set      func(context.Context, lab.Lab) error
}

// setByHand are the cases that are brought about in this way, as DETECTOR/CASE.
var setByHand []string

// casesOf declares a spec for each of a detector's cases that are set by hand.
func casesOf(d detectors.Detector, cases ...setCase) bool {
	GinkgoHelper()
	for _, c := range cases {
		setByHand = append(setByHand, d.Name+"/"+c.want.Case)
		thoroughLabels = append(thoroughLabels, c.want.Case)
	}
	return Describe("case of "+d.Name, thoroughly("cases"), func() {
		for _, c := range cases {
			It(c.name+" heals by its remedy", Label(c.want.Case), func(ctx context.Context) { liveThrough(ctx, c.scenario(d)) })
		}
	})
}

// scenario is the case as a fault.
func (c setCase) scenario(d detectors.Detector) fault.Scenario {
	return fault.Scenario{
		Name: c.want.Case, Detector: d, MustFail: c.mustFail, Deaths: func(lab.Lab) []fault.Death { return []fault.Death{fault.Anywhere} },
		Inject: func(ctx context.Context, l lab.Lab, _ func(string)) error { return c.set(ctx, l) },
		Want:   func(lab.Lab) []fault.Subject { return []fault.Subject{c.want} },
	}
}

// liveThrough takes a case through the whole life of a fault.
func liveThrough(ctx context.Context, s fault.Scenario) {
	GinkgoHelper()
	life := &fault.Life{
		Lab: theLab, Detectors: all.Detectors(), Tool: "netfault e2e", Reporter: silent{}, Scenario: s,
		Bundles: filepath.Join(*outDir, "cases", CurrentSpecReport().LeafNodeText), // two may be of one case, at one time
	}
	undoOrKeep(theLab)
	_, err := life.Run(ctx, life.Plan()...)
	Expect(err).NotTo(HaveOccurred())
}

// commands sets a case by commands on the i-th node, with %MAC and %IP replaced by those of the first node's flannel.1 and
// underlay.
func commands(i int, lines ...string) func(context.Context, lab.Lab) error {
	return func(ctx context.Context, l lab.Lab) error {
		leases, err := l.Leases(ctx)
		if err != nil {
			return err
		}
		of := strings.NewReplacer("%MAC", leases[0].VtepMAC, "%IP", leases[0].PublicIP)
		for _, line := range lines {
			if _, err := machine.Output(ctx, l.Nodes()[i], strings.Fields(of.Replace(line))...); err != nil {
				return err
			}
		}
		return nil
	}
}

// outOfReach are the cases that no lab of the suite can have, and why.
var outOfReach = map[string]string{
	"stale-vtep/observer-wide": "it takes more than 32 peers",
}

// Every case of a cause is brought about on a lab: by a scenario, whose fixture says so, or by hand.
func TestEveryCaseIsBroughtAbout(t *testing.T) {
	onLab := slices.Clone(setByHand)
	forEachFixture(t, func(_ *testing.T, _ string, want []gate.Said) {
		for _, p := range want {
			if isCause(p.Detector) {
				onLab = append(onLab, p.Detector+"/"+p.Case)
			}
		}
	})
	var known []string
	for _, d := range all.Detectors() {
		if d.Kind != detectors.Cause {
			continue
		}
		for _, c := range d.Cases {
			name := d.Name + "/" + c.Name
			known = append(known, name)
			_, excused := outOfReach[name]
			switch brought := slices.Contains(onLab, name); {
			case brought && excused:
				t.Errorf("%s is brought about on a lab: take it out of outOfReach", name)
			case !brought && !excused:
				t.Errorf("%s is not brought about on any lab: record the scenario that does (make fixtures FOCUS=SCENARIO), make one, or set it by hand (casesOf, in cases_*_test.go)", name)
			}
		}
	}
	for name := range outOfReach {
		onLab = append(onLab, name)
	}
	for _, name := range onLab {
		if !slices.Contains(known, name) {
			t.Errorf("there is no case %s of a cause", name)
		}
	}
}

func isCause(name string) bool {
	return slices.ContainsFunc(all.Detectors(), func(d detectors.Detector) bool { return d.Name == name && d.Kind == detectors.Cause })
}
