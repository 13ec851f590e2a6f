package scenarios_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/gate"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/training"
	"github.com/netfault/netfault/scenarios"
)

// Learners that are programs: what each is told is the test.
var _ = Describe("training", Label("train"), func() {
	exercises, err := training.Validate(scenarios.All(), all.Detectors())
	if err != nil {
		panic(err)
	}
	for i, e := range exercises {
		s := scenarios.All()[i]
		Describe(e.Code, Label(e.Code, s.Name), func() {
			It("is broken for who does nothing, and healed by the solution", func(ctx context.Context) {
				l := begins(ctx, e, s)
				l.expect(ctx, training.Way{Verdict: training.Broken})
				l.types(ctx, e.Solution)
				l.expect(ctx, training.Way{Verdict: training.Healed})
				Expect(l.says(ctx, 0, "stop")).To(ContainSubstring("100 points"))
				Expect(labs.List(ctx)).NotTo(ContainElement(l.found()))
			})
			for _, way := range e.Ways {
				It(fmt.Sprintf("%s: %s", way.Name, way.Verdict), func(ctx context.Context) {
					l := begins(ctx, e, s)
					l.types(ctx, way.Lines)
					l.expect(ctx, way)
				})
			}
		})
	}

	It("is brought back by reset, whatever was broken", Label("lisbon"), func(ctx context.Context) {
		e, s := exercises[0], scenarios.All()[0]
		l := begins(ctx, e, s)
		broken := []training.Line{
			{Machine: "{each}", Command: "iptables -w -F"}, {Machine: "{each}", Command: "iptables -w -t nat -F"},
			{Machine: "{n1}", Command: "ip link del flannel.1"}, {Machine: "{n1}", Command: "systemctl stop flanneld"},
			{Machine: "{n2}", Command: "ip link set eth0 down"}, {Machine: "{n1}", Command: "dd if=/dev/zero of=/run/full bs=1M"},
		}
		l.typesWhatFails(ctx, broken)
		l.killMachine(ctx, "{n3}")
		Expect(l.says(ctx, 0, "reset")).To(ContainSubstring("Lisbon"))
		l.expect(ctx, training.Way{Verdict: training.Broken})
		l.types(ctx, e.Solution)
		l.expect(ctx, training.Way{Verdict: training.Healed})
	})

	It("says that it cannot know when the network is not there, and reset brings it back", Label("lisbon"), func(ctx context.Context) {
		l := begins(ctx, exercises[0], scenarios.All()[0])
		Expect(l.found().Remove(ctx)).To(Succeed())
		Expect(l.says(ctx, 2, "check")).To(ContainSubstring("train reset"))
		l.says(ctx, 0, "reset")
		l.expect(ctx, training.Way{Verdict: training.Broken})
	})

	It("has one exercise at a time, and none is no error of the program's", Label("lisbon"), func(ctx context.Context) {
		l := &learner{dir: GinkgoT().TempDir(), lab: ownName("site")}
		Expect(l.says(ctx, 2, "check")).To(ContainSubstring("train start --random"))
		Expect(l.says(ctx, 64, "start", "paris")).To(ContainSubstring("lisbon"))
		l = begins(ctx, exercises[0], scenarios.All()[0])
		Expect(l.says(ctx, 2, "start", "oslo")).To(ContainSubstring("train stop"))
	})
})

// learner is one who does an exercise on a lab of its own.
type learner struct {
	dir, lab string
	exercise *training.Exercise
}

// begins starts an exercise, which is stopped when the spec ends.
func begins(ctx context.Context, e *training.Exercise, s fault.Scenario) *learner {
	GinkgoHelper()
	l := &learner{dir: GinkgoT().TempDir(), lab: ownName("site"), exercise: e}
	DeferCleanup(func(ctx context.Context) { Expect(l.found().Remove(ctx)).To(Succeed()) })
	Expect(l.says(ctx, 0, "start", e.Code, "--site="+l.lab, "--seed=1")).To(ContainSubstring(e.Texts[training.English].Title))
	return l
}

func (l *learner) found() labs.Found { return labs.Found{Kind: labs.Netns, Name: l.lab} }

// says runs a command of netfault train, and returns what it prints.
func (l *learner) says(ctx context.Context, wantCode int, args ...string) string {
	GinkgoHelper()
	cmd := program(ctx, append([]string{"train"}, args...)...)
	cmd.Env = append(os.Environ(), training.DirVariable+"="+l.dir)
	out, err := cmd.CombinedOutput()
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else {
		Expect(err).NotTo(HaveOccurred())
	}
	Expect(code).To(Equal(wantCode), "netfault train %s:\n%s", strings.Join(args, " "), out)
	return string(out)
}

// values are those that stand in for placeholders, of the network as it was when the alarm went.
func (l *learner) values() training.Values {
	GinkgoHelper()
	a, err := (training.Store{Dir: l.dir}).Running()
	Expect(err).NotTo(HaveOccurred())
	f, err := a.Faulty()
	Expect(err).NotTo(HaveOccurred())
	return f.Values.With(f.First())
}

// types runs commands as somebody would who is logged in to their machines.
func (l *learner) types(ctx context.Context, lines []training.Line) {
	GinkgoHelper()
	l.run(ctx, lines, func(m machine.Machine, argv []string) {
		_, err := machine.Output(ctx, m, argv...)
		Expect(err).NotTo(HaveOccurred())
	})
}

func (l *learner) typesWhatFails(ctx context.Context, lines []training.Line) {
	GinkgoHelper()
	l.run(ctx, lines, func(m machine.Machine, argv []string) { _, _ = machine.Output(ctx, m, argv...) })
}

func (l *learner) run(ctx context.Context, lines []training.Line, run func(machine.Machine, []string)) {
	GinkgoHelper()
	var network lab.Lab
	network, err := l.found().Open(ctx)
	Expect(err).NotTo(HaveOccurred())
	for _, t := range l.values().Type(lines) {
		m, err := training.MachineOf(network, t.Machine)
		Expect(err).NotTo(HaveOccurred())
		argv, err := gate.Words(t.Command)
		Expect(err).NotTo(HaveOccurred())
		run(m, argv)
	}
}

// killMachine kills the first process of a machine, with which all of it ends.
func (l *learner) killMachine(ctx context.Context, name string) {
	GinkgoHelper()
	l.run(ctx, []training.Line{{Machine: name, Command: "readlink /proc/self/ns/pid"}}, func(m machine.Machine, argv []string) {
		namespace, err := machine.Output(ctx, m, argv...)
		Expect(err).NotTo(HaveOccurred())
		processes, err := filepath.Glob("/proc/[0-9]*")
		Expect(err).NotTo(HaveOccurred())
		killed := 0
		for _, p := range processes {
			status, _ := os.ReadFile(p + "/status") // it may have ended
			if of, _ := os.Readlink(p + "/ns/pid"); of != strings.TrimSpace(string(namespace)) || !regexp.MustCompile(`(?m)^NSpid:.*\s1$`).Match(status) {
				continue
			}
			pid, err := strconv.Atoi(filepath.Base(p))
			Expect(err).NotTo(HaveOccurred())
			Expect(syscall.Kill(pid, syscall.SIGKILL)).To(Succeed())
			killed++
		}
		Expect(killed).To(Equal(1))
	})
}

// expect wants the check to say what a way must be told.
func (l *learner) expect(ctx context.Context, want training.Way) {
	GinkgoHelper()
	code := 1
	if want.Verdict == training.Healed {
		code = 0
	}
	var got training.Result
	out := l.says(ctx, code, "check", "-o", "json")
	Expect(json.Unmarshal([]byte(out), &got)).To(Succeed(), out)
	Expect(got.Verdict).To(Equal(want.Verdict), out)
	var lines []string
	for _, line := range got.Lines {
		lines = append(lines, line[training.English])
	}
	if says := l.values().Fill(want.Says); says != "" {
		Expect(strings.Join(lines, "\n")).To(ContainSubstring(says))
	}
}
