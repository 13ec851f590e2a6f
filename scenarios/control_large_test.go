package scenarios_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/probe"
	"github.com/netfault/netfault/framework/undo"
)

// A node whose underlay carries less than flannel thinks loses packets of full size, and no others. No fault is like this yet, so
// it is shown here that the probes of full size see what the small ones do not.
var _ = Describe("control of the large probes", Label("controls"), func() {
	It("fail where the underlay carries less, and small ones pass", func(ctx context.Context) {
		_, err := undo.Begin(ctx, theLab, "control of the large probes")
		Expect(err).NotTo(HaveOccurred())
		undoOrKeep(theLab)
		n2 := fault.Nth(1)
		_, err = machine.Output(ctx, n2(theLab), "ip", "link", "set", "eth0", "mtu", "1400")
		Expect(err).NotTo(HaveOccurred())

		mustFail := fault.And(fault.Kind(evidence.ProbeLarge), fault.Crossing(n2))
		results, err := probe.Run(ctx, theLab)
		Expect(err).NotTo(HaveOccurred())
		failed := 0
		for _, p := range results {
			why := probe.Failure(theLab, p)
			Expect(why != "").To(Equal(mustFail(theLab, p)), "%s %s → %s: %q", p.Kind, p.From, p.To, why)
			if why != "" {
				failed++
			}
		}
		Expect(failed).To(Equal(2 * (len(theLab.Nodes()) - 1)))
	})
})
