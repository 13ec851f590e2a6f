package scenarios_test

import (
	"context"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/training/noise"
	"github.com/netfault/netfault/framework/training/site"
	"github.com/netfault/netfault/scenarios"
)

// A fault is the same fault whatever the nodes are called, wherever they live, and whichever of them plays which part; and on a sealed
// lab nothing says which fault it is but the network itself, and nothing that is odd and harmless is taken for one.
var _ = Describe("a fault on a site of its own", thoroughly("sites"), func() {
	for i, s := range scenarios.All() {
		It(s.Name+" lives its whole life there", Label(s.Name), func(ctx context.Context) {
			f := flavourFor(s)
			o := labs.Options{Kind: chosen, Name: ownName(f.LabName("site-")), Flannel: f.Flannel, Pods: f.Pods, Owned: true, Sealed: true, Site: site.Of(uint64(i), 3)}
			found := labs.Found{Kind: chosen, Name: o.Name}
			DeferCleanup(func(ctx context.Context) { Expect(found.Remove(ctx)).To(Succeed()) })
			l, err := holdNew(ctx, o)
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(func() { Expect(l.Release()).To(Succeed()) })
			Expect(l.Nodes()[0].Name()).To(Equal(o.Site.Parts[0]))
			if why := s.Missing(l); why != "" {
				Skip(why)
			}
			life := &fault.Life{
				Lab: l, Scenario: s, Detectors: all.Detectors(), Tool: "netfault e2e", Reporter: silent{},
				Bundles: filepath.Join(*outDir, "sites"),
			}
			injected := life.Inject()
			_, err = life.Run(ctx, injected...)
			Expect(err).NotTo(HaveOccurred())
			// It stays until the fault is undone: no detector reports any of it, and remedies heal all the same.
			oddities, err := noise.Add(ctx, l, uint64(i))
			Expect(err).NotTo(HaveOccurred())
			Expect(oddities).NotTo(BeEmpty())
			Expect(leaks(ctx, l)).To(BeEmpty())
			_, err = life.Run(ctx, life.Plan()[len(injected):]...)
			Expect(err).NotTo(HaveOccurred())
			if i == 0 {
				looksAreReal(ctx, l)
			}
		})
	}
})
