package scenarios_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/undo"
)

// Two processes that change one lab at the same time: one does, and the other is told who that is.
var _ = Describe("two at once", Ordered, ContinueOnFailure, thoroughly("lock"), func() {
	name := ownName("lock")
	onLab := "--lab=" + name
	var l lab.Lab
	var before undo.Recorded
	BeforeAll(func(ctx context.Context) {
		found := labs.Found{Kind: labs.Netns, Name: name}
		DeferCleanup(func(ctx context.Context) { Expect(found.Remove(ctx)).To(Succeed()) })
		netfault(ctx, "lab", "up", onLab, "--kind=netns")
		var err error
		l, err = found.Open(ctx)
		Expect(err).NotTo(HaveOccurred())
		before, err = undo.Record(ctx, l)
		Expect(err).NotTo(HaveOccurred())
	})
	AfterEach(func(ctx context.Context) {
		netfault(ctx, "reset", onLab)
		after, err := undo.Record(ctx, l)
		Expect(err).NotTo(HaveOccurred())
		Expect(undo.Diff(before, after)).To(BeEmpty())
		Expect(filepath.Join(l.StateDir(), "journal.json")).NotTo(BeAnExistingFile())
	})

	for _, faults := range [][2]string{{"stale-vtep", "vtep-lease-drift"}, {"vtep-lease-drift", "stale-vtep"}} {
		It(fmt.Sprintf("of %s and %s one comes about, and is healed", faults[0], faults[1]), func(ctx context.Context) {
			var running [2]*exec.Cmd
			var said [2]bytes.Buffer
			for i, fault := range faults {
				running[i] = program(ctx, "fault", "inject", fault, onLab)
				running[i].Stdout, running[i].Stderr = &said[i], &said[i]
				Expect(running[i].Start()).To(Succeed())
			}
			won, lost := -1, -1
			for i, cmd := range running {
				if cmd.Wait() == nil {
					won = i
				} else {
					lost = i
				}
			}
			Expect(won+lost).To(Equal(1), "want one of them:\n%s\n%s", &said[0], &said[1])
			Expect(running[lost].ProcessState.ExitCode()).To(Equal(2), said[lost].String())
			Expect(said[lost].String()).To(ContainSubstring("lab %s is in use by process %d (", name, running[won].Process.Pid))
			Expect(said[lost].String()).NotTo(ContainSubstring("undoing"))
			Expect(netfault(ctx, "lab", "status")).To(ContainSubstring(faults[won] + " in force"))
			netfault(ctx, "fault", "heal", onLab)
		})
	}

	It("nobody touches what another works on, until that is killed", func(ctx context.Context) {
		inject := program(ctx, "fault", "inject", "stale-vtep", onLab)
		out, err := inject.StdoutPipe()
		Expect(err).NotTo(HaveOccurred())
		Expect(inject.Start()).To(Succeed())
		lines := bufio.NewScanner(out)
		for lines.Scan() && !strings.HasPrefix(lines.Text(), "stale-vtep injected") {
		}
		// It stands still, so that it is not done before the others have tried.
		Expect(inject.Process.Signal(syscall.SIGSTOP)).To(Succeed())
		for _, args := range [][]string{{"fault", "heal"}, {"fault", "inject", "stale-vtep"}, {"reset"}, {"lab", "down"}} {
			out, err := program(ctx, append(args, onLab)...).CombinedOutput()
			Expect(err).To(MatchError("exit status 2"), string(out))
			Expect(string(out)).To(ContainSubstring("in use by process %d (", inject.Process.Pid))
		}
		netfault(ctx, "lab", "status") // who only looks is not kept from it
		Expect(inject.Process.Kill()).To(Succeed())
		Expect(inject.Wait()).To(MatchError("signal: killed"))
		Expect(netfault(ctx, "reset", onLab)).To(MatchRegexp("lab %s: stale-vtep is to be undone.*\nlab %s: stale-vtep is undone", name, name))
	})
})
