package scenarios_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/scenarios"
)

// One container for each scenario and one spec for each step of its life, so that a report names the step that failed.
// Scenarios run in random order on one lab.
var _ = Describe("fault", func() {
	for _, s := range scenarios.All() {
		for _, remedy := range append([]string{""}, s.Alternatives...) {
			lifeOf(s, remedy)
		}
	}
})

// lifeOf declares the life of a fault that is healed by the finding's first remedy or, if it is named, by another.
func lifeOf(s fault.Scenario, remedy string) {
	name := s.Name
	if remedy != "" {
		name += ", " + remedy
	}
	Describe(name, Ordered, Label("fault", s.Name), func() {
		life := &fault.Life{Scenario: s, Remedy: remedy, Detectors: all.Detectors(), Tool: "netfault e2e", Reporter: console}
		steps := life.Plan()
		entry := scenarioReport{Scenario: s.Name, Detector: s.Detector.Name, Remedy: remedy, Plan: steps}

		BeforeAll(func(ctx context.Context) {
			life.Lab, life.Bundles = labWith(ctx, flavourFor(s)), filepath.Join(*outDir, "bundles")
			if remedy != "" {
				life.Bundles = filepath.Join(*outDir, "bundles-other-remedies", remedy)
			}
			entry.Lab, entry.Pods, entry.Docker = life.Lab.Name(), string(life.Lab.Pods()), life.Lab.Docker()
			entry.KubeProxy = string(life.Lab.KubeProxy())
			entry.Flannel = life.Lab.Flannel().String()
			entry.Skipped = s.Missing(life.Lab)
			if remedy != "" && life.Lab.API() != nil {
				entry.Skipped = "the finding's other remedies are for flanneld and Docker as services of a host"
			}
			if entry.Skipped != "" {
				fmt.Printf("%s skipped: %s\n", s.Name, entry.Skipped)
			}
			// A no-op after a scenario that passed; registered before anything is changed.
			undoOrKeep(life.Lab)
		})
		AfterAll(func() {
			entry.OK = entry.Skipped == "" && len(entry.Steps) == len(steps) && entry.Steps[len(steps)-1].OK
			// The report names the bundles that are there when it is written.
			defer func() {
				entry.Steps = withBundles(entry.Steps)
				AddReportEntry(scenarioEntry, entry, ReportEntryVisibilityNever)
			}()
			// It shows the evidence, which is not kept of what has passed.
			shown := pageOf(context.Background(), entry, s, filepath.Join(life.Bundles, s.Name))
			AddReportEntry(pageEntry, shown, ReportEntryVisibilityNever)
			bundles := filepath.Join(life.Bundles, s.Name)
			switch {
			case !entry.OK:
			case *record && remedy == "":
				want, err := wantOf(s, life.Lab, bundles)
				Expect(err).NotTo(HaveOccurred())
				Expect(makeFixture(bundles, want)).To(Succeed())
			default:
				Expect(os.RemoveAll(bundles)).To(Succeed())
			}
		})
		for _, step := range steps {
			It(step.Name, func(ctx context.Context) {
				if entry.Skipped != "" {
					Skip(entry.Skipped)
				}
				done, err := life.Run(ctx, step)
				entry.Steps = append(entry.Steps, done...)
				if err != nil {
					Fail(err.Error()) // one line, where an assertion would print the error's inside
				}
			})
		}
	})
}

// withBundles returns the steps without the bundles that are not there any more.
func withBundles(steps []fault.Result) []fault.Result {
	kept := slices.Clone(steps)
	for i, s := range kept {
		if _, err := os.Stat(s.Bundle); err != nil {
			kept[i].Bundle = ""
		}
	}
	return kept
}

func TestReportNamesBundlesThatAreThere(t *testing.T) {
	here := t.TempDir()
	got := withBundles([]fault.Result{{Step: "detected", Bundle: here}, {Step: "clean", Bundle: here + "/gone"}, {Step: "undone"}})
	if got[0].Bundle != here || got[1].Bundle != "" || got[2].Bundle != "" {
		t.Errorf("%+v", got)
	}
}
