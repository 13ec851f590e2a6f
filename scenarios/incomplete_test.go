package scenarios_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/collect"
	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/snapshot"
	"github.com/netfault/netfault/framework/tools"
	"github.com/netfault/netfault/framework/wait"
)

// Whoever needs a verdict needs it most where something is broken beyond what was thought of.
var _ = Describe("a lab of which a part has ended", thoroughly("incomplete"), func() {
	It("is judged: what could not be had is unknown, and the rest is not", func(ctx context.Context) {
		found := labs.Found{Kind: labs.Netns, Name: ownName("e2e-incomplete")}
		DeferCleanup(found.Remove)
		l, err := labs.Up(ctx, labs.Options{Kind: found.Kind, Name: found.Name, Flannel: tools.FlannelVersion(), Owned: true})
		Expect(err).NotTo(HaveOccurred())
		systemctl := func(node int, verb, service string) {
			GinkgoHelper()
			_, err := machine.Output(ctx, l.Nodes()[node], "systemctl", verb, service)
			Expect(err).NotTo(HaveOccurred())
		}

		By("etcd has stopped")
		systemctl(0, "stop", "etcd")
		report, missing := judgePartly(ctx, found)
		Expect(missing).To(ContainSubstring("leases: "))
		Expect(verdicts(report, "stale-vtep")).To(HaveKeyWithValue(detectors.Unknown, ContainSubstring("cluster/leases.json: missing: leases: ")))
		Expect(verdicts(report, "pod-reachability")).To(HaveKey(detectors.Clean))
		systemctl(0, "start", "etcd")

		By("a pod has stopped")
		systemctl(1, "stop", "pod")
		report, missing = judgePartly(ctx, found)
		Expect(missing).To(ContainSubstring("the probes of pod-n2: pod-n2 does not run"))
		Expect(verdicts(report, "stale-vtep")).To(HaveKey(detectors.Clean))
		Expect(verdicts(report, "pod-reachability")).To(And(
			HaveKey(detectors.Problem), HaveKeyWithValue(detectors.Unknown, ContainSubstring("2 pod probes of n2 were not tried: pod-n2 does not run"))))
		Expect(report.Common).To(Equal("all of it goes to n2"))
		systemctl(1, "start", "pod")

		By("a pod has no link any more")
		l, err = found.Open(ctx) // the pod is another process than before
		Expect(err).NotTo(HaveOccurred())
		_, err = machine.Output(ctx, l.Nodes()[1].Pod.Machine, "ip", "link", "del", "eth0")
		Expect(err).NotTo(HaveOccurred())
		report, missing = judgePartly(ctx, found)
		Expect(missing).NotTo(ContainSubstring("collect node n2"))
		Expect(verdicts(report, "stale-vtep")).To(HaveKey(detectors.Clean))
		Expect(verdicts(report, "pod-reachability")).To(HaveKey(detectors.Problem))

		By("a machine has ended")
		killFirst(ctx, found.Name, "n3")
		report, missing = judgePartly(ctx, found)
		Expect(missing).To(ContainSubstring("collect node n3: n3 does not run"))
		Expect(verdicts(report, "stale-vtep")).To(HaveKeyWithValue(detectors.Unknown, ContainSubstring("nodes/n3/ip-link.json: missing: n3 does not run")))
		Expect(verdicts(report, "pod-reachability")).To(And(HaveKey(detectors.Problem), HaveKey(detectors.Unknown)))
	})
})

// judgePartly judges the lab as it is now, and returns what could not be had, empty if that is nothing.
func judgePartly(ctx context.Context, found labs.Found) (report detectors.Report, missing string) {
	GinkgoHelper()
	l, err := found.OpenPartly(ctx)
	Expect(err).NotTo(HaveOccurred())
	dir := filepath.Join(GinkgoT().TempDir(), "bundle")
	_, err = snapshot.Take(ctx, l, "netfault e2e", dir)
	if incomplete, ok := errors.AsType[*collect.IncompleteError](err); ok {
		missing = incomplete.Error()
	} else {
		Expect(err).NotTo(HaveOccurred())
	}
	b, err2 := evidence.Open(dir)
	Expect(err2).NotTo(HaveOccurred())
	defer b.Close()
	return detectors.Run(ctx, b, all.Detectors()), missing
}

// verdicts are those of one detector, each with a summary.
func verdicts(report detectors.Report, detector string) map[detectors.Verdict]string {
	found := map[detectors.Verdict]string{}
	for _, f := range report.Findings {
		if f.Detector == detector {
			found[f.Verdict] = f.Summary
		}
	}
	return found
}

// killFirst kills the first process of a machine of the embedded lab, and returns once it is gone.
func killFirst(ctx context.Context, lab, name string) {
	GinkgoHelper()
	Expect(wait.Until(ctx, 10*time.Second, name+" to end", func(context.Context) error {
		left := processesOf("--lab="+lab, "--machine="+name)
		if len(left) == 0 {
			return nil
		}
		return errors.Join(fmt.Errorf("process %d is there", left[0]), syscall.Kill(left[0], syscall.SIGKILL))
	})).To(Succeed())
}
