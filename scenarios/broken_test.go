package scenarios_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/framework/labs"
)

// A lab of which something was killed is called broken by every command, with what is broken and how to get rid of it.
var _ = Describe("a broken lab", thoroughly("broken"), func() {
	name := ownName("broken")
	found := labs.Found{Kind: labs.Netns, Name: name}
	BeforeEach(func() {
		DeferCleanup(func(ctx context.Context) { Expect(found.Remove(ctx)).To(Succeed()) })
	})
	// statusOf returns what `lab status` says of the lab, as json and in the table.
	statusOf := func(ctx context.Context) (state string, broken []string, table string) {
		GinkgoHelper()
		var all []struct {
			Lab, State string
			Broken     []string
		}
		out, err := program(ctx, "lab", "status", "-o", "json").Output()
		Expect(err).NotTo(HaveOccurred())
		Expect(json.Unmarshal(out, &all)).To(Succeed())
		for _, s := range all {
			if s.Lab == name {
				return s.State, s.Broken, netfault(ctx, "lab", "status")
			}
		}
		Fail(fmt.Sprintf("lab %s is not listed: %s", name, out))
		return "", nil, ""
	}

	It("is named with what is killed, and lab down removes it", func(ctx context.Context) {
		netfault(ctx, "lab", "up", "--lab="+name, "--kind=netns")
		state, broken, _ := statusOf(ctx)
		Expect(state).To(Equal("up"))
		Expect(broken).To(BeEmpty())

		netfault(ctx, "lab", "shell", "--lab="+name, "n1", "systemctl", "stop", "pod")
		state, broken, table := statusOf(ctx)
		Expect(state).To(Equal("broken"))
		Expect(broken).To(Equal([]string{"no probe server in pod-n1"}))
		Expect(table).To(ContainSubstring("no probe server in pod-n1"))
		for _, command := range [][]string{{"fault", "inject", "stale-vtep", "--lab=" + name}, {"reset", "--lab=" + name}} {
			out, err := program(ctx, command...).CombinedOutput()
			Expect(exitCode(err)).To(Equal(2), string(out))
			Expect(string(out)).To(ContainSubstring("lab %s is broken: no probe server in pod-n1", name))
		}
		netfault(ctx, "lab", "shell", "--lab="+name, "n1", "systemctl", "start", "pod")
		state, _, _ = statusOf(ctx)
		Expect(state).To(Equal("up"))

		mark := fmt.Sprintf("^[^ ]*netfault-agent init --lab=%s --machine=n2 ", name)
		pid, err := exec.CommandContext(ctx, "pgrep", "-f", mark).Output()
		Expect(err).NotTo(HaveOccurred())
		first, err := strconv.Atoi(strings.TrimSpace(string(pid)))
		Expect(err).NotTo(HaveOccurred())
		Expect(syscall.Kill(first, syscall.SIGKILL)).To(Succeed())
		Eventually(func() []string { _, broken, _ := statusOf(ctx); return broken }).Should(Equal([]string{"n2 does not run"}))
		hint := "n2 does not run: `netfault lab down --lab=" + name + "` removes it"
		_, _, table = statusOf(ctx)
		Expect(table).To(ContainSubstring(hint))
		for _, command := range [][]string{{"fault", "inject", "stale-vtep", "--lab=" + name}, {"fault", "heal", "--lab=" + name}, {"reset", "--lab=" + name}} {
			out, err := program(ctx, command...).CombinedOutput()
			Expect(exitCode(err)).To(Equal(2), string(out))
			Expect(string(out)).To(ContainSubstring(hint))
		}

		By("what still runs can be entered, for a look")
		out, err := program(ctx, "lab", "shell", "--lab="+name, "n1", "--", "true").CombinedOutput()
		Expect(err).NotTo(HaveOccurred())
		Expect(string(out)).To(ContainSubstring(hint))
		out, err = program(ctx, "lab", "shell", "--lab="+name, "n2", "--", "true").CombinedOutput()
		Expect(exitCode(err)).To(Equal(2), string(out))

		netfault(ctx, "lab", "down", "--lab="+name)
		Expect(labs.List(ctx)).NotTo(ContainElement(found))
	})

	It("is one whose making was ended, which reset removes", func(ctx context.Context) {
		Expect(killAt(ctx, 3, everyLine, "lab", "up", "--lab="+name, "--kind=netns")).To(BeTrue())
		state, broken, table := statusOf(ctx)
		Expect(state).To(Equal("broken"))
		Expect(broken).To(Equal([]string{"its making was ended"}))
		Expect(table).To(ContainSubstring("lab %s is broken: its making was ended", name))
		netfault(ctx, "reset", "--lab="+name)
		Expect(labs.List(ctx)).NotTo(ContainElement(found))
	})
})
