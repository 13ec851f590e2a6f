package scenarios_test

import (
	"context"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/undo"
	stalevtep "github.com/netfault/netfault/scenarios/stale-vtep"
)

// A suite that cannot fail proves nothing: here the life of a fault is given what must make it fail.
var _ = Describe("checker", Label("checker"), func() {
	var life *fault.Life
	// run returns the name of the last step, and its error.
	run := func(ctx context.Context) (string, error) {
		done, err := life.Run(ctx, life.Plan()...)
		return done[len(done)-1].Step, err
	}
	BeforeEach(func() {
		life = &fault.Life{
			Lab: theLab, Scenario: stalevtep.Scenario, Detectors: all.Detectors(), Tool: "netfault e2e", Reporter: silent{},
			Bundles: filepath.Join(*outDir, "checker", CurrentSpecReport().LeafNodeText), Patience: 6 * time.Second,
		}
		DeferCleanup(func(ctx context.Context) {
			Expect(undo.Undo(ctx, theLab)).To(Succeed())
		})
	})

	It("fails when nothing is injected", func(ctx context.Context) {
		life.Scenario.Inject = func(context.Context, lab.Lab, func(string)) error { return nil }
		step, err := run(ctx)
		Expect(err).To(MatchError(ContainSubstring("passes but must fail")))
		Expect(step).To(Equal("symptom"))
	})

	It("fails when the detector is always clean", func(ctx context.Context) {
		life.Detectors = answering(detectors.Clean)
		step, err := run(ctx)
		Expect(err).To(MatchError(ContainSubstring("reports no problem, want observer-stale on n2 for n1")))
		Expect(step).To(Equal("detected"))
	})

	It("fails when the detector always reports", func(ctx context.Context) {
		life.Detectors = answering(detectors.Problem)
		step, err := run(ctx)
		Expect(err).To(MatchError(ContainSubstring("is not clean")))
		Expect(step).To(Equal("healthy"))
	})

	It("fails when the detector never knows", func(ctx context.Context) {
		life.Detectors = answering(detectors.Unknown)
		step, err := run(ctx)
		Expect(err).To(MatchError(ContainSubstring("unknown")))
		Expect(step).To(Equal("healthy"))
	})

	It("fails when another detector of a cause is not silent", func(ctx context.Context) {
		faulty := false
		inject := life.Scenario.Inject
		life.Scenario.Inject = func(ctx context.Context, l lab.Lab, say func(string)) error {
			faulty = true
			return inject(ctx, l, say)
		}
		life.Detectors = append(all.Detectors(), detectors.Detector{
			Name: "busybody", Kind: detectors.Cause, Cases: []detectors.Case{{Name: "me-too"}},
			Detect: func(context.Context, *evidence.Bundle) []detectors.Finding {
				if faulty {
					return []detectors.Finding{{Verdict: detectors.Problem, Case: "me-too", Summary: "me too"}}
				}
				return []detectors.Finding{{Verdict: detectors.Clean, Judged: map[string]int{"nodes": 1}, Summary: "for now"}}
			},
		})
		step, err := run(ctx)
		Expect(err).To(MatchError(ContainSubstring("busybody is not silent")))
		Expect(step).To(Equal("detected"))
	})
})

// answering returns the real detectors with the scenario's own replaced by one that always says the same.
func answering(v detectors.Verdict) []detectors.Detector {
	all := all.Detectors()
	for i, d := range all {
		if d.Name == stalevtep.Scenario.Detector.Name {
			all[i].Detect = func(context.Context, *evidence.Bundle) []detectors.Finding {
				f := detectors.Finding{Verdict: v, Summary: "as always"}
				switch v {
				case detectors.Problem:
					f.Case = d.Cases[0].Name
				case detectors.Clean:
					f.Judged = map[string]int{"nodes": 1}
				}
				return []detectors.Finding{f}
			}
		}
	}
	return all
}

// silent keeps steps that must fail out of the log.
type silent struct{}

func (silent) Begin(string, fault.Step)             {}
func (silent) Detail(string)                        {}
func (silent) End(string, fault.Step, fault.Result) {}
