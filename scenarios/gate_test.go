package scenarios_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/gate"
	"github.com/netfault/netfault/framework/gate/live"
	"github.com/netfault/netfault/framework/lab/netns"
	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/progress"
	stalevtep "github.com/netfault/netfault/scenarios/stale-vtep"
	vtepleasedrift "github.com/netfault/netfault/scenarios/vtep-lease-drift"
)

// The gate's bundles come from lives on labs of its own: what probes and the kernel say decides which phase was come to, and cells say
// what a detector makes of it.
var _ = Describe("the gate on labs", thoroughly("gate"), func() {
	take := func(ctx context.Context, s fault.Scenario) live.Taken {
		GinkgoHelper()
		board, stop := progress.Start(io.Discard)
		defer stop()
		taken, err := live.Labs{
			Kind: labs.Netns, Name: ownName("gate"), Scenarios: []fault.Scenario{s}, Dir: GinkgoT().TempDir(), Tool: "netfault e2e", Board: board,
		}.Take(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(taken.Skipped).To(BeEmpty())
		return taken
	}
	phases := func(all []gate.Source) []string {
		var names []string
		for _, s := range all {
			names = append(names, s.Phase)
		}
		return names
	}
	wrong := func(ctx context.Context, taken live.Taken, dets []detectors.Detector) []string {
		GinkgoHelper()
		r, err := gate.Gate{Sources: taken.Sources, Detectors: dets, Judge: gate.Ours(dets), Rounds: 2}.Run(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(r.Differing).To(BeEmpty())
		var all []string
		for _, c := range r.Cells {
			if !c.Right {
				all = append(all, c.Bundle.Phase+": "+c.Detector+": "+string(c.Was))
			}
		}
		return all
	}
	const tried = "tried: the incident's own remedy"

	It("comes to every phase, though the detector cries wolf", func(ctx context.Context) {
		s := stalevtep.Scenario
		ours := s.Detector.Detect
		s.Detector.Detect = func(ctx context.Context, b *evidence.Bundle) []detectors.Finding {
			found := ours(ctx, b)
			if slices.ContainsFunc(found, func(f detectors.Finding) bool { return f.Verdict == detectors.Problem }) {
				return found
			}
			return []detectors.Finding{{Verdict: detectors.Problem, Severity: detectors.Critical, Case: "vtep-down", Node: "n3", Summary: "wolf"}}
		}
		taken := take(ctx, s)
		Expect(phases(taken.Sources)).To(Equal([]string{"healthy", "faulty", tried, "healed", "undone"}))
		Expect(taken.Unreached).To(BeEmpty())
		Expect(wrong(ctx, taken, all.Detectors())).To(BeEmpty())
		Expect(wrong(ctx, taken, []detectors.Detector{s.Detector})).To(Equal([]string{
			"healthy: stale-vtep: false alarm", "healed: stale-vtep: false alarm", "undone: stale-vtep: false alarm",
		}))
	})

	It("does not come to what a detector that sees nothing cannot heal", func(ctx context.Context) {
		s := stalevtep.Scenario
		s.Detector.Detect = func(context.Context, *evidence.Bundle) []detectors.Finding {
			return []detectors.Finding{{Verdict: detectors.Clean, Judged: map[string]int{"nodes": 3}}}
		}
		taken := take(ctx, s)
		Expect(phases(taken.Sources)).To(Equal([]string{"healthy", "faulty", tried, "undone"}))
		Expect(taken.Unreached).To(HaveLen(1))
		Expect(taken.Unreached[0].Bundle.Phase).To(Equal("healed"))
		Expect(taken.Unreached[0].Why).To(ContainSubstring("there is no remedy to run"))
		Expect(wrong(ctx, taken, []detectors.Detector{s.Detector})).To(Equal([]string{"faulty: stale-vtep: miss", tried + ": stale-vtep: miss"}))
	})

	It("has two faults in force at once, and each is found", func(ctx context.Context) {
		board, stop := progress.Start(io.Discard)
		defer stop()
		taken, err := live.Labs{
			Kind: labs.Netns, Name: ownName("gate"), Scenarios: []fault.Scenario{vtepleasedrift.Scenario, stalevtep.Scenario},
			Dir: GinkgoT().TempDir(), Tool: "netfault e2e", Board: board,
		}.Pairs(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(taken.Unreached).To(BeEmpty())
		Expect(taken.Sources).To(HaveLen(1))
		Expect(taken.Sources[0].Name).To(Equal("stale-vtep + vtep-lease-drift"))
		Expect(taken.Sources[0].Want["stale-vtep"].Problems).To(ConsistOf(
			fault.Subject{Case: "observer-stale", Node: "n2", Peer: "n1"}, fault.Subject{Case: "lease-stale", Node: "n4"},
		))
		Expect(wrong(ctx, taken, all.Detectors())).To(BeEmpty())
	})

	// By what it does, and not by what it says: a remedy that takes more away than the fault has damaged, and one that does nothing.
	It("runs the remedy of a detector, and says what it did", func(ctx context.Context) {
		board, stop := progress.Start(io.Discard)
		defer stop()
		on := live.Labs{
			Kind: labs.Netns, Name: ownName("gate"), Scenarios: []fault.Scenario{stalevtep.Scenario}, Dir: GinkgoT().TempDir(), Tool: "netfault e2e", Board: board,
		}
		dets := []detectors.Detector{stalevtep.Scenario.Detector}
		try := func(change func(remedy []detectors.Command) []detectors.Command) gate.Remedied {
			GinkgoHelper()
			tried, err := on.Try(ctx, dets, func(ctx context.Context, given gate.Given) (gate.Answers, error) {
				answers, err := gate.Ours(dets)(ctx, given)
				said := answers["stale-vtep"]
				said.Remedy = change(said.Remedy)
				answers["stale-vtep"] = said
				return answers, err
			})
			Expect(err).NotTo(HaveOccurred())
			Expect(tried.Unreached).To(BeEmpty())
			Expect(tried.Remedied).To(HaveLen(1))
			return tried.Remedied[0]
		}
		on2 := func(argv ...string) detectors.Command { return detectors.Command{Node: "n2", Argv: argv} }

		healed := try(func(remedy []detectors.Command) []detectors.Command { return remedy })
		Expect(healed.Was).To(Equal(gate.Healed), "%+v", healed)
		Expect(healed.Gone).To(BeEmpty())

		flushed := try(func(remedy []detectors.Command) []detectors.Command {
			return append(remedy, on2("iptables", "-w", "-F", "FORWARD"))
		})
		Expect(flushed.Was).To(Equal(gate.Damage), "%+v", flushed)
		Expect(flushed.Gone).To(ContainElement(ContainSubstring("n2: iptables iptables-nft filter -A FORWARD")))
		Expect(flushed.Commands).To(ContainElement("n2# iptables -w -F FORWARD"))

		idle := try(func([]detectors.Command) []detectors.Command { return []detectors.Command{on2("true")} })
		Expect(idle.Was).To(Equal(gate.NotHealed), "%+v", idle)
		Expect(idle.Why).To(ContainSubstring("every probe to pass"))

		unable := try(func([]detectors.Command) []detectors.Command { return []detectors.Command{on2("false")} })
		Expect(unable.Was).To(Equal(gate.NotHealed), "%+v", unable)

		none := try(func([]detectors.Command) []detectors.Command { return nil })
		Expect(none.Was).To(Equal(gate.NoRemedy))
	})

	It("leaves no lab when it is ended", func(ctx context.Context) {
		run := begin(program(ctx, "gate", "--kind=netns"), "")
		its := ContainElement(HaveSuffix(fmt.Sprintf("-gate-%d", run.cmd.Process.Pid)))
		Eventually(ctx, netns.List).WithTimeout(time.Minute).Should(its)
		run.signal(syscall.SIGINT)
		Expect(run.wait()).To(Equal(130), run.output())
		Expect(netns.List()).NotTo(its)
	})
})
