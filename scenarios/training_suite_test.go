package scenarios_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/framework/gate"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/training"
	"github.com/netfault/netfault/scenarios"
)

// exercises are those of all scenarios, in their order.
func exercises() []*training.Exercise {
	found, err := training.Validate(scenarios.All(), all.Detectors())
	if err != nil {
		panic(err)
	}
	return found
}

// Learners that are programs: what each is told is the test.
var _ = Describe("every way of the exercise", thoroughly("ways"), func() {
	for _, e := range exercises() {
		Describe(e.Code, Label(e.Code), func() {
			It("is broken for who does nothing, and healed by who types the solution, twice", func(ctx context.Context) {
				l := &learner{dir: GinkgoT().TempDir(), lab: ownName("site")}
				DeferCleanup(func(ctx context.Context) { Expect(l.found().Remove(ctx)).To(Succeed()) })
				Expect(l.says(ctx, 0, "solve", e.Code, "--site="+l.lab)).To(ContainSubstring("2 times of 2"))
				Expect(labs.List(ctx)).NotTo(ContainElement(l.found()))
			})
			It("shows nothing of what was done to it", func(ctx context.Context) {
				l := begins(ctx, e)
				site, err := l.found().Open(ctx)
				Expect(err).NotTo(HaveOccurred())
				Expect(leaks(ctx, site)).To(BeEmpty())
				names, err := bpfNames()
				Expect(err).NotTo(HaveOccurred())
				for _, name := range names {
					Expect(name).NotTo(MatchRegexp("(?i)" + telling()))
				}
			})
			for _, way := range e.Ways {
				It(fmt.Sprintf("%s: %s", way.Name, way.Verdict), func(ctx context.Context) {
					l := begins(ctx, e)
					l.types(ctx, way.Lines)
					l.expect(ctx, way)
				})
			}
		})
	}
})

var _ = Describe("training", thoroughly("train"), func() {
	exercises := exercises()

	It("tells nothing of the fault when its start is ended", Label("lisbon"), func(ctx context.Context) {
		l := &learner{dir: GinkgoT().TempDir(), lab: ownName("site")}
		DeferCleanup(func(ctx context.Context) { Expect(l.found().Remove(ctx)).To(Succeed()) })
		cmd := l.program(ctx, "start", "lisbon", "--site="+l.lab)
		out, err := cmd.StderrPipe()
		Expect(err).NotTo(HaveOccurred())
		Expect(cmd.Start()).To(Succeed())
		var said []string
		for lines := bufio.NewScanner(out); lines.Scan(); {
			said = append(said, lines.Text())
			if strings.Contains(lines.Text(), "time passes") { // it is being broken
				Expect(cmd.Process.Signal(os.Interrupt)).To(Succeed())
			}
		}
		Expect(exitCode(cmd.Wait())).To(Equal(130), strings.Join(said, "\n"))
		Expect(said).To(ContainElement(ContainSubstring("ended by SIGINT")))
		for _, s := range scenarios.All() {
			Expect(said).NotTo(ContainElement(ContainSubstring(s.Name)))
		}
		Expect(labs.List(ctx)).NotTo(ContainElement(l.found()))
		Expect(l.says(ctx, 2, "status")).To(ContainSubstring("no exercise is running"))
	})

	It("leads from the alarm to the debrief", Label("lisbon"), func(ctx context.Context) {
		l := begins(ctx, exercises[0])
		v := l.values()
		n1, n2 := v["n1"], v["n2"]
		look := l.says(ctx, 0, "status")
		Expect(look).To(And(ContainSubstring("Lisbon"), ContainSubstring(v["n2.podname"]), Not(ContainSubstring("stale"))))
		Expect(l.says(ctx, 64, "shell", "n9")).To(ContainSubstring(v["n2.clientname"]))
		site, err := l.found().Open(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(leaks(ctx, site)).To(BeEmpty())
		Expect(l.says(ctx, 2, "debrief")).To(ContainSubstring("not healed"))

		By("a first hint says where to look; for who has looked there, it is the second")
		Expect(l.says(ctx, 0, "hint")).To(And(ContainSubstring("Hint 1 of 3"), Not(ContainSubstring("Hint 2 of 3"))))
		Expect(l.shell(ctx, n1, "ip -br link\nexit\n")).To(ContainSubstring("flannel.1"))
		Expect(l.shell(ctx, n2, "history; ip neigh show dev flannel.1; env\nexit 3\n", 3)).To(
			And(ContainSubstring("PERMANENT"), ContainSubstring("recorded"), Not(ContainSubstring("NETFAULT"))))
		entry := l.values()["actual"]
		Expect(l.says(ctx, 0, "hint")).To(And(ContainSubstring("Hint 1 of 3"), ContainSubstring("Hint 2 of 3"), ContainSubstring(entry)))

		By("the session of a machine goes on where it was left")
		Expect(l.shell(ctx, n2, "history\nexit\n")).To(ContainSubstring("1  history; ip neigh"))
		var typed string
		for _, t := range l.values().Type(exercises[0].Solution) {
			typed += t.Command + "\n"
		}
		l.shell(ctx, n2, typed+"exit\n")
		Expect(l.says(ctx, 0, "check")).To(And(ContainSubstring("Healed"), ContainSubstring("2 hints: 80 of 100 points")))
		Expect(l.says(ctx, 0, "hint")).To(ContainSubstring("nothing to hint at"))

		By("the debrief has the learner's own values and commands")
		Expect(l.says(ctx, 0, "debrief")).To(And(
			ContainSubstring("stale-vtep"), ContainSubstring("So the frame goes to "+entry), ContainSubstring("first look: "+n1+"# ip -br link"),
			ContainSubstring("first look in the right place: "+n2+"# ip neigh show dev flannel.1"), ContainSubstring("first right idea: "+n2+"# ip neigh replace"),
			ContainSubstring("fix: "+n2+"# ip neigh replace"), ContainSubstring("-"+n2+".cast")))
		Expect(l.says(ctx, 0, "stop")).To(ContainSubstring("80 points"))
		Expect(labs.List(ctx)).NotTo(ContainElement(l.found()))
		Expect(l.says(ctx, 0, "scores")).To(And(MatchRegexp(`lisbon +80 `), ContainSubstring("80 points")))
		Expect(l.says(ctx, 0, "debrief")).To(ContainSubstring("The real incident"))
		Expect(l.says(ctx, 2, "check")).To(ContainSubstring("no exercise is running"))
	})

	It("tells a learner of Chinese all of it in Chinese", Label("lisbon", "zh"), func(ctx context.Context) {
		l := &learner{dir: GinkgoT().TempDir(), lab: ownName("site")}
		DeferCleanup(func(ctx context.Context) { Expect(l.found().Remove(ctx)).To(Succeed()) })
		says := func(code int, args ...string) string {
			GinkgoHelper()
			said := l.says(ctx, code, args...)
			Expect(englishIn(said)).To(BeEmpty(), said)
			return said
		}
		says(0, "list", "--lang=zh")
		Expect(says(0, "start", "lisbon", "--site="+l.lab, "--seed=1", "--noise", "--lang=zh")).To(ContainSubstring("里斯本"))
		says(0, "status")
		says(0, "hint")
		Expect(says(1, "check")).To(ContainSubstring("超时"))
		for _, damage := range []string{"iptables -w -F FORWARD", "ip route add 203.0.113.0/24 via {n1.vtep} dev flannel.1 onlink", "ip rule add from 203.0.113.0/24 lookup 7"} {
			l.types(ctx, []training.Line{{Machine: "{n2}", Command: damage}})
		}
		l.types(ctx, exercises[0].Solution)
		Expect(says(1, "check")).To(And(ContainSubstring("iptables 规则"), ContainSubstring("策略路由规则")))
		says(0, "hint")
		says(0, "reset")
		says(0, "solution")
		l.types(ctx, exercises[0].Solution)
		Expect(says(0, "check")).To(ContainSubstring("已修复"))
		says(0, "debrief")
		netfault(ctx, "reset", "--lab="+l.lab)
		Expect(says(2, "check")).To(ContainSubstring("从外部撤销"))
		says(0, "stop")
		says(0, "scores")
	})

	It("leaves nothing when its start is killed, or after that", Label("lisbon"), func(ctx context.Context) {
		l := &learner{dir: GinkgoT().TempDir(), lab: ownName("site")}
		DeferCleanup(func(ctx context.Context) { Expect(l.found().Remove(ctx)).To(Succeed()) })
		run := begin(l.program(ctx, "start", "lisbon", "--site="+l.lab), "")
		run.untilSaid("time passes")
		run.signal(syscall.SIGKILL)
		Expect(run.wait()).To(Equal(-1))
		Expect(l.says(ctx, 2, "check")).To(ContainSubstring("train reset"))
		l.says(ctx, 0, "stop")
		Expect(labs.List(ctx)).NotTo(ContainElement(l.found()))
		Expect(l.says(ctx, 0, "scores")).NotTo(ContainSubstring("lisbon"))

		By("an interruption takes all of it along")
		run = begin(l.program(ctx, "start", "lisbon", "--site="+l.lab), "")
		run.untilSaid("time passes")
		run.signal(syscall.SIGINT)
		Expect(run.wait()).To(Equal(130), run.output())
		Expect(labs.List(ctx)).NotTo(ContainElement(l.found()))
		Expect(l.says(ctx, 2, "status")).To(ContainSubstring("no exercise is running"))
	})

	It("is brought back by reset, whatever was broken", Label("lisbon"), func(ctx context.Context) {
		e := exercises[0]
		l := begins(ctx, e)
		broken := []training.Line{
			{Machine: "{each}", Command: "iptables -w -F"}, {Machine: "{each}", Command: "iptables -w -t nat -F"},
			{Machine: "{n1}", Command: "ip link del flannel.1"}, {Machine: "{n1}", Command: "systemctl stop flanneld"},
			{Machine: "{n2}", Command: "ip link set eth0 down"},
			// Not the machine's memory as a whole.
			{Machine: "{n1}", Command: "mount -o remount,size=200m /run"}, {Machine: "{n1}", Command: "dd if=/dev/zero of=/run/full bs=1M count=400"},
		}
		l.typesWhatFails(ctx, broken)
		l.killMachine("{n3}")
		Expect(l.says(ctx, 0, "reset")).To(ContainSubstring("Lisbon"))
		l.expect(ctx, training.Way{Verdict: training.Broken})
		l.types(ctx, e.Solution)
		l.expect(ctx, training.Way{Verdict: training.Healed})
	})

	It("says that it cannot know when the network was undone or is gone, and reset brings it back", Label("lisbon"), func(ctx context.Context) {
		l := begins(ctx, exercises[0])
		netfault(ctx, "reset", "--lab="+l.lab)
		Expect(l.says(ctx, 2, "check")).To(ContainSubstring("undone from outside"))
		Expect(l.found().Remove(ctx)).To(Succeed())
		for _, command := range []string{"check", "status"} {
			Expect(l.says(ctx, 2, command)).To(ContainSubstring("is not there any more"))
		}
		l.says(ctx, 0, "reset")
		l.expect(ctx, training.Way{Verdict: training.Broken})
	})

	It("has one exercise at a time, and none is no error of the program's", Label("lisbon"), func(ctx context.Context) {
		l := &learner{dir: GinkgoT().TempDir(), lab: ownName("site")}
		Expect(l.says(ctx, 2, "check")).To(ContainSubstring("train start --random"))
		Expect(l.says(ctx, 64, "start", "paris")).To(ContainSubstring("lisbon"))
		l = begins(ctx, exercises[0])
		Expect(l.says(ctx, 2, "start", "oslo")).To(ContainSubstring("train stop"))
	})
})

// learner is one who does an exercise on a lab of its own.
type learner struct {
	dir, lab string
	// kind is the lab's; labs.Netns if empty.
	kind     labs.Kind
	exercise *training.Exercise
}

// begins starts an exercise, which is stopped when the spec ends.
func begins(ctx context.Context, e *training.Exercise) *learner { return beginsOn(ctx, labs.Netns, e) }

func beginsOn(ctx context.Context, kind labs.Kind, e *training.Exercise) *learner {
	GinkgoHelper()
	l := &learner{dir: GinkgoT().TempDir(), lab: ownName("site"), kind: kind, exercise: e}
	DeferCleanup(func(ctx context.Context) { Expect(l.found().Remove(ctx)).To(Succeed()) })
	Expect(l.says(ctx, 0, "start", e.Code, "--kind="+string(kind), "--site="+l.lab, "--seed=1", "--noise")).To(ContainSubstring(e.Texts[training.English].Title))
	return l
}

// englishIn are the words of English sentences in what is told: three in a row that are no command's. Commands stand behind a prompt or in
// quotation marks.
func englishIn(said string) []string {
	said = regexp.MustCompile("`[^`]*`").ReplaceAllString(said, "")
	said = regexp.MustCompile(`(?m)\S+# .*$`).ReplaceAllString(said, "")
	return regexp.MustCompile(`\b[A-Za-z]{2,}[,:;]? [a-z]{2,}[,:;]? [a-z]{2,}\b`).FindAllString(said, -1)
}

func (l *learner) found() labs.Found {
	return labs.Found{Kind: cmp.Or(l.kind, labs.Netns), Name: l.lab}
}

// says runs a command of netfault train, and returns what it prints.
func (l *learner) says(ctx context.Context, wantCode int, args ...string) string {
	GinkgoHelper()
	out, err := l.program(ctx, args...).CombinedOutput()
	Expect(exitCode(err)).To(Equal(wantCode), "netfault train %s:\n%s", strings.Join(args, " "), out)
	return string(out)
}

func (l *learner) program(ctx context.Context, args ...string) *exec.Cmd {
	cmd := program(ctx, append([]string{"train"}, args...)...)
	cmd.Env = append(os.Environ(), training.DirVariable+"="+l.dir)
	return cmd
}

// shell types into a shell on a machine and returns what its terminal shows.
func (l *learner) shell(ctx context.Context, on, typed string, wantCode ...int) string {
	GinkgoHelper()
	cmd := l.program(ctx, "shell", on)
	cmd.Stdin = strings.NewReader(typed)
	out, err := cmd.CombinedOutput()
	Expect(exitCode(err)).To(Equal(append(wantCode, 0)[0]), string(out))
	return string(out)
}

// values are those that stand in for placeholders, of the network as it was when the alarm went.
func (l *learner) values() training.Values {
	GinkgoHelper()
	f, err := faultyIn(training.Store{Dir: l.dir})
	Expect(err).NotTo(HaveOccurred())
	return f.Values.With(f.First())
}

// faultyIn is how the lab of the running exercise was when its alarm went.
func faultyIn(store training.Store) (training.Faulty, error) {
	a, err := store.Running()
	if err != nil {
		return training.Faulty{}, err
	}
	return a.Faulty()
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
func (l *learner) killMachine(name string) {
	GinkgoHelper()
	named := l.values().Type([]training.Line{{Machine: name}})[0].Machine
	first := processesOf("--lab="+l.lab, "--machine="+named)
	Expect(first).To(HaveLen(1))
	Expect(syscall.Kill(first[0], syscall.SIGKILL)).To(Succeed())
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
	if want.Verdict == training.Lucky {
		Expect(got.Event).NotTo(BeEmpty(), "it is said that it comes back, and not shown how")
		Expect(got.Lines).NotTo(BeEmpty())
	}
	var lines []string
	for _, line := range got.Lines {
		lines = append(lines, line[training.English])
	}
	if says := l.values().Fill(want.Says); says != "" {
		Expect(strings.Join(lines, "\n")).To(ContainSubstring(says))
	}
}
