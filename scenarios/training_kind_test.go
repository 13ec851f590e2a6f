package scenarios_test

import (
	"context"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/training"
)

// On a kind cluster a learner has kubectl, and flanneld is the DaemonSet's. What the verdicts of all ways are is held on embedded labs:
// a cluster takes most of a minute.
var _ = Describe("on a kind cluster", thoroughly("train-kind"), Label(anyLab), func() {
	BeforeEach(func() {
		if chosen != labs.KIND {
			Skip("it needs a cluster: make e2e LAB=kind FOCUS=train-kind")
		}
	})
	for _, e := range exercises() {
		if !e.On(labs.KIND) {
			continue
		}
		It("shows nothing of what was done to it, and is healed by who types the solution: "+e.Code, Label(e.Code), func(ctx context.Context) {
			l := beginsOn(ctx, labs.KIND, e)
			site, err := l.found().Open(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(leaks(ctx, site)).To(BeEmpty())
			l.expect(ctx, training.Way{Verdict: training.Broken})
			for _, typed := range l.values().Type(e.Solution) {
				l.shell(ctx, typed.Machine, typed.Command+"\nexit\n")
			}
			l.expect(ctx, training.Way{Verdict: training.Healed})
			Expect(l.says(ctx, 0, "debrief")).To(ContainSubstring("first right idea: "))
			l.says(ctx, 0, "stop")
			Expect(labs.List(ctx)).NotTo(ContainElement(l.found()))
		})
	}

	It("refuses what hides the symptom, is brought back by reset, and is healed with kubectl", Label("lisbon"), func(ctx context.Context) {
		e := exercises()[0]
		l := beginsOn(ctx, labs.KIND, e)
		v := l.values()
		Expect(l.shell(ctx, v["host"], "kubectl get nodes\nexit\n")).To(ContainSubstring(v["n2"]))
		Expect(l.shell(ctx, v["n1.podname"], "dig -v; tcpdump --version; ip -br addr show eth0\nexit\n")).To(And(ContainSubstring(v["n1.pod"]), Not(ContainSubstring("not found"))))
		cheat := slices.IndexFunc(e.Ways, func(w training.Way) bool { return w.Name == "the old address for the client's flannel.1" })
		l.types(ctx, e.Ways[cheat].Lines)
		l.expect(ctx, e.Ways[cheat])
		l.typesWhatFails(ctx, []training.Line{
			{Machine: "{each}", Command: "iptables -w -F"}, {Machine: "{n1}", Command: "ip link del flannel.1"},
			{Machine: "{n1}", Command: "kubectl delete ns kube-flannel --wait=false"},
		})
		Expect(l.says(ctx, 0, "reset")).To(ContainSubstring("Lisbon"))
		l.expect(ctx, training.Way{Verdict: training.Broken})
		l.types(ctx, []training.Line{{Machine: "{n3}", Command: "{n2.start}"}})
		l.expect(ctx, training.Way{Verdict: training.Healed})
	})
})
