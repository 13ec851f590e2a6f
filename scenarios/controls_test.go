package scenarios_test

import (
	"context"
	"fmt"
	"net/netip"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lock"
	"github.com/netfault/netfault/framework/probe"
	"github.com/netfault/netfault/framework/undo"
	twrecycle "github.com/netfault/netfault/scenarios/tw-recycle"
)

// tw-recycle needs three things at once: the setting, clients behind one address, and a server that closes first. With any
// one of them away, every connection works.
var _ = Describe("control of tw-recycle", Label("controls"), func() {
	var l *lock.Held
	silently := func(string) {}
	BeforeEach(func(ctx context.Context) {
		l = labWith(ctx, flavourFor(twrecycle.Scenario))
		if why := twrecycle.Scenario.Missing(l); why != "" {
			Skip(why)
		}
		_, err := undo.Begin(ctx, l, "control of tw-recycle")
		Expect(err).NotTo(HaveOccurred())
		undoOrKeep(l)
		Expect(twrecycle.Skew(ctx, l, silently)).To(Succeed())
	})
	closing := func(address netip.Addr, port int) netip.AddrPort { return netip.AddrPortFrom(address, uint16(port)) }

	It("works with the setting off", func(ctx context.Context) {
		n := l.Nodes()[0]
		seen, err := twrecycle.Exercise(ctx, l, closing(n.Address, n.Client.Service.NodePort))
		Expect(err).NotTo(HaveOccurred())
		Expect(seen.Broken).To(BeEmpty())
	})

	It("works without NAT", func(ctx context.Context) {
		Expect(twrecycle.SwitchOn(ctx, l, silently)).To(Succeed())
		seen, err := twrecycle.Exercise(ctx, l, closing(l.Nodes()[0].Client.Address, lab.ClosingPort))
		Expect(err).NotTo(HaveOccurred())
		Expect(seen.Broken).To(BeEmpty())
	})

	It("works when clients close first", func(ctx context.Context) {
		Expect(twrecycle.SwitchOn(ctx, l, silently)).To(Succeed())
		n := l.Nodes()[0]
		target := agent.Target{
			Kind: evidence.ProbeNodePort, From: n.Name(), To: n.Name(), Expect: n.Pod.Name(),
			Address: fmt.Sprintf("%s:%d", n.Address, n.Pod.Service.NodePort),
		}
		for range 3 {
			for _, client := range l.Nodes()[1:3] {
				results, err := probe.From(ctx, l, client.Client, agent.Plan{Targets: []agent.Target{target, target}})
				Expect(err).NotTo(HaveOccurred())
				for _, p := range results {
					// The setting would drop both tries of a probe. NAT may lose the first SYN of a new lab's connection
					// (framework/agent/probe.go), which says nothing of it.
					Expect(p.OK).To(BeTrue(), p.Error)
				}
			}
		}
	})
})
