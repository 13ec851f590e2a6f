package scenarios_test

import (
	"context"
	"encoding/json"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/undo"
	"github.com/netfault/netfault/scenarios"
)

// People run the remedy that detect prints, or begin to, before they run `netfault fault heal`: it must not break what they have
// mended, and ends where every heal ends.
var _ = Describe("healed by hand", thoroughly("healed"), func() {
	for _, s := range scenarios.All() {
		It("heal goes on from there: "+s.Name, Label(s.Name), func(ctx context.Context) {
			name := ownName("healed")
			onLab := "--lab=" + name
			found := labs.Found{Kind: labs.Netns, Name: name}
			DeferCleanup(func(ctx context.Context) { Expect(found.Remove(ctx)).To(Succeed()) })
			out, err := labUp(ctx, found, flavourFor(s)).CombinedOutput()
			Expect(err).NotTo(HaveOccurred(), string(out))
			l, err := found.Open(ctx)
			Expect(err).NotTo(HaveOccurred())
			if why := s.Missing(l); why != "" {
				Skip(why)
			}
			before, err := undo.Record(ctx, l)
			Expect(err).NotTo(HaveOccurred())
			back := func() {
				GinkgoHelper()
				after, err := undo.Record(ctx, l)
				Expect(err).NotTo(HaveOccurred())
				Expect(undo.Diff(before, after)).To(BeEmpty())
				Expect(filepath.Join(l.StateDir(), "journal.json")).NotTo(BeAnExistingFile())
			}
			byHand := func(commands []detectors.Command) {
				GinkgoHelper()
				for _, c := range commands {
					netfault(ctx, append([]string{"lab", "shell", onLab, c.Node, "--"}, c.Argv...)...)
				}
			}

			netfault(ctx, "fault", "inject", s.Name, onLab)
			remedy := printedRemedy(ctx, onLab)
			if len(remedy) > 1 {
				byHand(remedy[:1])
				netfault(ctx, "fault", "heal", onLab)
				back()
				netfault(ctx, "fault", "inject", s.Name, onLab)
				remedy = printedRemedy(ctx, onLab)
			}
			byHand(remedy)
			netfault(ctx, "detect", onLab)
			healed := netfault(ctx, "fault", "heal", onLab)
			Expect(healed).To(ContainSubstring("it is healed already"))
			Expect(healed).NotTo(Or(ContainSubstring(s.Name+" tried"), ContainSubstring(s.Name+" remedied")))
			back()
		})
	}
})

// printedRemedy returns the commands that detect prints for what is wrong on the lab, in their order.
func printedRemedy(ctx context.Context, onLab string) []detectors.Command {
	GinkgoHelper()
	out, err := program(ctx, "detect", onLab, "-o", "json").Output()
	Expect(err).To(MatchError("exit status 1"), string(out))
	var report detectors.Report
	Expect(json.Unmarshal(out, &report)).To(Succeed())
	var commands []detectors.Command
	for _, f := range report.Findings {
		commands = append(commands, f.Remedy...)
	}
	Expect(commands).NotTo(BeEmpty(), string(out))
	return commands
}
