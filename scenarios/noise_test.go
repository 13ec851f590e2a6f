package scenarios_test

import (
	"context"
	"path/filepath"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/training/noise"
	"github.com/netfault/netfault/framework/undo"
	"github.com/netfault/netfault/scenarios"
)

// seeds are enough for every kind of oddity to be there several times.
const seeds = 10

var _ = Describe("noise", Label("noise"), func() {
	It("breaks no probe, is reported by no detector, and goes with the fault", func(ctx context.Context) {
		_, err := noise.Add(ctx, theLab, 0)
		Expect(err).To(MatchError(ContainSubstring("noise goes with a fault")))
		journal, err := undo.Begin(ctx, theLab, "noise")
		Expect(err).NotTo(HaveOccurred())
		undoOrKeep(theLab)
		for seed := range uint64(seeds) {
			_, err := noise.Add(ctx, theLab, seed)
			Expect(err).NotTo(HaveOccurred())
		}
		noisy, err := undo.Record(ctx, theLab)
		Expect(err).NotTo(HaveOccurred())
		Expect(len(undo.Diff(journal.Before, noisy))).To(BeNumerically(">=", 2*seeds))

		life := &fault.Life{
			Lab: theLab, Scenario: scenarios.All()[0], Detectors: all.Detectors(), Tool: "netfault e2e", Reporter: silent{},
			Bundles: filepath.Join(*outDir, "noise"),
		}
		plan := life.Plan()
		clean := plan[slices.IndexFunc(plan, func(s fault.Step) bool { return s.Name == "clean" })]
		_, err = life.Run(ctx, clean)
		Expect(err).NotTo(HaveOccurred())

		Expect(undo.Undo(ctx, theLab)).To(Succeed())
		after, err := undo.Record(ctx, theLab)
		Expect(err).NotTo(HaveOccurred())
		Expect(undo.Diff(journal.Before, after)).To(BeEmpty())
	})
})
