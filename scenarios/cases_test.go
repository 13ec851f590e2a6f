package scenarios_test

import (
	"context"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/podsnat"
	staledetector "github.com/netfault/netfault/detectors/stalevtep"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
)

// What detectors tell apart, set by hand on the lab, goes through the whole life of a fault: packets must be lost or changed,
// the case must be named, and its own remedy must heal. These are tests of the detectors' remedies and not faults: nothing
// in life brings them about in this way.
var _ = Describe("case", Label("cases"), func() {
	between12 := fault.Between(fault.Nth(0), fault.Nth(1))
	withNode1 := fault.Crossing(fault.Nth(0))
	DescribeTable("of stale-vtep heals by its remedy", func(ctx context.Context, want fault.Subject, mustFail fault.Which,
		wreck func(context.Context, lab.Lab) error) {
		liveThrough(ctx, staledetector.Detector, want, mustFail, wreck)
	},
		Entry("forwarding entry missing", fault.Subject{Case: staledetector.FDBMissing, Node: "n2", Peer: "n1"}, between12,
			func(ctx context.Context, l lab.Lab) error {
				return on(ctx, l, 1, "bridge fdb del %MAC dev flannel.1 dst %IP self")
			}),
		Entry("forwarding entry elsewhere", fault.Subject{Case: staledetector.FDBElsewhere, Node: "n2", Peer: "n1"}, between12,
			func(ctx context.Context, l lab.Lab) error {
				return on(ctx, l, 1, "bridge fdb replace %MAC dev flannel.1 dst 192.168.100.13 self permanent")
			}),
		Entry("neighbour missing", fault.Subject{Case: staledetector.NeighbourMissing, Node: "n2", Peer: "n1"}, between12,
			func(ctx context.Context, l lab.Lab) error {
				return on(ctx, l, 1, "ip neigh del 10.244.1.0 dev flannel.1")
			}),
		Entry("flannel.1 down", fault.Subject{Case: staledetector.VTEPDown, Node: "n1"}, withNode1,
			func(ctx context.Context, l lab.Lab) error {
				return on(ctx, l, 0, "ip link set dev flannel.1 down")
			}),
		Entry("flannel.1 missing", fault.Subject{Case: staledetector.VTEPMissing, Node: "n1"}, withNode1,
			func(ctx context.Context, l lab.Lab) error {
				if err := l.Flannel().Delete(ctx); err != nil {
					return err
				}
				if err := on(ctx, l, 0, "ip link del dev flannel.1"); err != nil {
					return err
				}
				return l.Flannel().Create(ctx, "n2", "n3")
			}),
	)

	toNode1 := fault.And(fault.Kind(evidence.ProbePod), fault.From(fault.Nth(1)), fault.To(fault.Nth(0)))
	DescribeTable("of pod-snat heals by its remedy", func(ctx context.Context, peer string, mustFail fault.Which, rules ...string) {
		liveThrough(ctx, podsnat.Detector, fault.Subject{Case: podsnat.Rule, Node: "n2", Peer: peer}, mustFail,
			func(ctx context.Context, l lab.Lab) error {
				for _, r := range rules {
					if err := on(ctx, l, 1, r); err != nil {
						return err
					}
				}
				return nil
			})
	},
		Entry("one peer and one port", "n1", toNode1,
			"iptables-nft -w -t nat -I POSTROUTING -s 10.244.2.0/24 -d 10.244.1.0/24 -p tcp -m tcp --dport 8080 -j MASQUERADE"),
		Entry("a mark set in another table", "n1", toNode1,
			"iptables-nft -w -t mangle -A PREROUTING -i cni0 -d 10.244.1.0/24 -p tcp -j MARK --set-xmark 0x80/0x80",
			"iptables-nft -w -t nat -N HIDE",
			"iptables-nft -w -t nat -A HIDE -m mark --mark 0x80/0x80 -j MASQUERADE",
			"iptables-nft -w -t nat -I POSTROUTING -j HIDE"),
		Entry("the other world, all peers", "",
			fault.And(fault.Kind(evidence.ProbePod), fault.From(fault.Nth(1)), fault.Overlay),
			"iptables-legacy -w -t nat -A POSTROUTING ! -d 10.244.2.0/24 -o flannel.1 -j SNAT --to-source 10.244.2.1"),
	)
})

// liveThrough takes what wreck does through the whole life of a fault.
func liveThrough(ctx context.Context, d detectors.Detector, want fault.Subject, mustFail fault.Which,
	wreck func(context.Context, lab.Lab) error) {
	GinkgoHelper()
	life := &fault.Life{
		Lab: theLab, Detectors: all.Detectors(), Tool: "netfault e2e", Reporter: silent{}, Bundles: filepath.Join(*outDir, "cases"),
		Scenario: fault.Scenario{
			Name: want.Case, Detector: d, MustFail: mustFail,
			Inject: func(ctx context.Context, l lab.Lab, _ func(string)) error { return wreck(ctx, l) },
			Want:   func(lab.Lab) []fault.Subject { return []fault.Subject{want} },
		},
	}
	undoOrKeep(theLab)
	_, err := life.Run(ctx, life.Plan()...)
	Expect(err).NotTo(HaveOccurred())
}

// on runs a command on the i-th node, with %MAC and %IP replaced by those of the first node's flannel.1 and underlay.
func on(ctx context.Context, l lab.Lab, i int, command string) error {
	leases, err := l.Leases(ctx)
	if err != nil {
		return err
	}
	argv := strings.Fields(strings.NewReplacer("%MAC", leases[0].VtepMAC, "%IP", leases[0].PublicIP).Replace(command))
	_, err = machine.Output(ctx, l.Nodes()[i], argv...)
	return err
}
