package scenarios_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"

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
var _ = Describe("a bundle made by hand", thoroughly("byhand"), func() {
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
	for _, later := range [][]string{nil, {"--later"}} {
		for _, n := range theLab.Nodes() {
			_, err := machine.Output(ctx, n, slices.Concat([]string{"sh", script}, later, []string{dir, n.Name()})...)
			Expect(err).NotTo(HaveOccurred())
		}
	}
	for _, n := range theLab.Nodes() {
		Expect(handFiles(dir, n)).To(Equal(agentFiles(ctx, n)), "files of %s", n.Name())
	}
	leases, err := theLab.Leases(ctx)
	Expect(err).NotTo(HaveOccurred())
	Expect(collect.WriteLeases(dir, func() ([]evidence.Lease, error) { return leases, nil })).To(Succeed())
	b, err := evidence.Open(dir)
	Expect(err).NotTo(HaveOccurred())
	defer b.Close()
	return detectors.Run(ctx, b, all.Detectors())
}

// withoutTool are the files that the script leaves out where a tool is not installed, and netfault does not, and the one that
// only netfault makes.
var withoutTool = []string{
	evidence.EthtoolFile, evidence.NFTChainsFile, evidence.NFTRulesetFile, evidence.Later(evidence.NFTRulesetFile), evidence.TWRecycleFile,
}

// handFiles lists what the script has collected of a node.
func handFiles(dir string, n machine.Machine) (names []string) {
	GinkgoHelper()
	list, err := os.ReadDir(filepath.Join(dir, "nodes", n.Name()))
	Expect(err).NotTo(HaveOccurred())
	for _, e := range list {
		if !slices.Contains(withoutTool, e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}

// agentFiles lists what netfault's collector has of a node at both looks, sorted.
func agentFiles(ctx context.Context, n machine.Machine) (names []string) {
	GinkgoHelper()
	for _, look := range []string{"collect", "later"} {
		stream, err := machine.Output(ctx, n, theLab.Agent(), look)
		Expect(err).NotTo(HaveOccurred())
		for tr := tar.NewReader(bytes.NewReader(stream)); ; {
			h, err := tr.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			Expect(err).NotTo(HaveOccurred())
			if !slices.Contains(withoutTool, h.Name) {
				names = append(names, h.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}
