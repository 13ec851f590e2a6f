package scenarios_test

import (
	"context"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/detectors/evidence"
	staledetector "github.com/netfault/netfault/detectors/stalevtep"
	"github.com/netfault/netfault/framework/collect"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/machine"
	stalevtep "github.com/netfault/netfault/scenarios/stale-vtep"
)

// What an on-call engineer collects without netfault must be judged like what netfault collects.
var _ = Describe("a bundle made by hand", Label("byhand"), func() {
	It("is clean on a healthy lab and names the fault on a faulty one", func(ctx context.Context) {
		healthy := byHand(ctx)
		for _, f := range healthy.Findings {
			Expect(f.Verdict).To(BeElementOf(detectors.Clean, detectors.NotApplicable), "%s: %s", f.Detector, f.Summary)
		}
		Expect(healthy.ExitCode(detectors.FailOnUnknown)).To(Equal(0))

		undoOrKeep(theLab)
		life := &fault.Life{
			Lab: theLab, Scenario: stalevtep.Scenario, Detectors: all.Detectors(), Tool: "netfault e2e", Reporter: silent{},
			Bundles: filepath.Join(*outDir, "byhand"),
		}
		_, err := life.Run(ctx, life.Inject()...)
		Expect(err).NotTo(HaveOccurred())
		faulty := byHand(ctx)
		Expect(faulty.ExitCode(detectors.FailOnUnknown)).To(Equal(1))
		want := stalevtep.Scenario.Want(theLab)
		var found []fault.Subject
		for _, f := range faulty.Findings {
			if f.Verdict == detectors.Problem {
				Expect(f.Detector).To(Equal(staledetector.Detector.Name))
				found = append(found, fault.Subject{Case: f.Case, Node: f.Node, Peer: f.Peer})
			}
		}
		Expect(found).To(Equal(want))
	})
})

// byHand runs the script of docs/EVIDENCE.md on every node, adds the leases, and judges the bundle.
func byHand(ctx context.Context) detectors.Report {
	GinkgoHelper()
	dir, err := os.MkdirTemp("", "netfault-byhand-")
	Expect(err).NotTo(HaveOccurred())
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	Expect(err).NotTo(HaveOccurred())
	script := filepath.Join(filepath.Dir(self), "..", "hack", "collect-evidence.sh")
	for _, n := range theLab.Nodes() {
		_, err := machine.Output(ctx, n, "sh", script, dir, n.Name())
		Expect(err).NotTo(HaveOccurred())
	}
	leases, err := theLab.Leases(ctx)
	Expect(err).NotTo(HaveOccurred())
	Expect(collect.WriteLeases(dir, leases)).To(Succeed())
	b, err := evidence.Open(dir)
	Expect(err).NotTo(HaveOccurred())
	defer b.Close()
	return detectors.Run(ctx, b, all.Detectors())
}
