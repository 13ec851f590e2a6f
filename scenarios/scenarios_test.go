package scenarios_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/undo"
	"github.com/netfault/netfault/scenarios"
)

// One container for each scenario and one spec for each step of its life, so that a report names the step that failed.
// Scenarios run in random order on one lab.
var _ = Describe("fault", func() {
	for _, s := range scenarios.All() {
		Describe(s.Name, Ordered, Label("fault", s.Name), func() {
			life := &fault.Life{Scenario: s, Detectors: detectors.All(), Tool: "netfault e2e", Reporter: console}
			steps := append(life.Inject(), life.Heal()...)
			entry := scenarioReport{Scenario: s.Name, Detector: s.Detector}

			BeforeAll(func(ctx context.Context) {
				life.Lab, life.Bundles = theLab, filepath.Join(*outDir, "bundles")
				if s.Unavailable != nil {
					entry.Skipped = s.Unavailable(theLab)
				}
				if entry.Skipped != "" {
					fmt.Printf("%s skipped: %s\n", s.Name, entry.Skipped)
				}
				// A no-op after a scenario that passed; registered before anything is changed.
				DeferCleanup(func(ctx context.Context) {
					Expect(undo.Undo(ctx, theLab)).To(Succeed())
				})
			})
			AfterAll(func() {
				entry.OK = entry.Skipped == "" && len(entry.Steps) == len(steps) && entry.Steps[len(steps)-1].OK
				results = append(results, entry)
				if entry.OK && !*keepBundles {
					Expect(os.RemoveAll(filepath.Join(life.Bundles, s.Name))).To(Succeed())
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
})
