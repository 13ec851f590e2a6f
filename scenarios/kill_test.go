package scenarios_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/tools"
	"github.com/netfault/netfault/framework/undo"
	"github.com/netfault/netfault/scenarios"
)

// The program is killed with SIGKILL at every line that it prints while it changes something; then `netfault reset` must
// bring everything back.
var _ = Describe("SIGKILL", Label("sigkill"), func() {
	name := ownName("kill")
	var found labs.Found
	BeforeEach(func() {
		found = labs.Found{Kind: chosen, Name: name}
		DeferCleanup(func(ctx context.Context) {
			Expect(found.Remove(ctx)).To(Succeed())
		})
	})

	It("while a lab is made leaves nothing that reset does not remove", Label("up", inLines), func(ctx context.Context) {
		up := []string{"lab", "up", "--lab=" + name, "--kind=" + string(chosen)}
		points := lines(ctx, everyLine, up...)
		// The last lines come when the lab is up and stands on its own.
		points = points[:slices.IndexFunc(points, func(l string) bool { return strings.Contains(l, "is up") })]
		Expect(len(points)).To(BeNumerically(">=", 5))
		for i := range points {
			if !drawnNow(fmt.Sprintf("line %d", i)) {
				continue
			}
			Expect(found.Remove(ctx)).To(Succeed())
			if !killAt(ctx, i, everyLine, up...) {
				continue // it was faster than the kill: there is nothing to clear up
			}
			// By its name, since other labs of the machine are no concern of this spec; killed early, it has left none.
			for range 2 {
				if all, err := labs.List(ctx); err == nil && slices.Contains(all, found) {
					netfault(ctx, "reset", "--lab="+name)
				}
			}
			Expect(labs.List(ctx)).NotTo(ContainElement(found), "killed at %q", points[i])
			for _, root := range []string{"/run/netfault", "/run/netfault-kind"} {
				Expect(filepath.Join(root, name)).NotTo(BeADirectory())
			}
		}
	})

	// One spec for what is killed while it breaks a lab, and some while it heals, which is longer: they run side by side.
	const healParts = 3
	for _, s := range scenarios.All() {
		It("while "+s.Name+" is injected leaves nothing that reset does not undo", Label(s.Name), func(ctx context.Context) {
			l, before, points := killing(ctx, found, s, false)
			for i, line := range points {
				if repeats(points, i) {
					continue
				}
				killAt(ctx, i, killPoints(), injecting(s, name)...)
				resetAndCompare(ctx, l, before, "inject", line)
			}
		})

		for part := range healParts {
			It(fmt.Sprintf("while %s is healed leaves nothing that reset does not undo (%d of %d)", s.Name, part+1, healParts), Label(s.Name), func(ctx context.Context) {
				l, before, points := killing(ctx, found, s, true)
				for i, line := range points {
					if i%healParts != part || repeats(points, i) {
						continue
					}
					netfault(ctx, injecting(s, name)...)
					killAt(ctx, i, killPoints(), healing(name)...)
					resetAndCompare(ctx, l, before, "heal", line)
				}
			})
		}
	}
})

func injecting(s fault.Scenario, lab string) []string {
	return []string{"fault", "inject", s.Name, "--lab=" + lab}
}

func healing(lab string) []string { return []string{"fault", "heal", "--lab=" + lab} }

// killPoints picks the lines at which netfault is killed. A kind cluster takes longer for everything: there these are its changes alone.
func killPoints() func(string) bool {
	if chosen == labs.KIND {
		return changes
	}
	return changesAndSteps
}

// killing makes a lab for a fault, and returns it, its state, and the lines at which netfault is to be killed while the fault is
// injected, or while it is healed.
func killing(ctx context.Context, found labs.Found, s fault.Scenario, heal bool) (lab.Lab, undo.Recorded, []string) {
	GinkgoHelper()
	out, err := labUp(ctx, found, flavourFor(s)).CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(out))
	l, err := found.Open(ctx)
	Expect(err).NotTo(HaveOccurred())
	before, err := undo.Record(ctx, l)
	Expect(err).NotTo(HaveOccurred())
	inject := injecting(s, found.Name)
	skipUnavailable(ctx, found.Name, inject)
	var points []string
	if heal {
		netfault(ctx, inject...)
		points = lines(ctx, killPoints(), healing(found.Name)...)
	} else {
		points = lines(ctx, killPoints(), inject...)
		netfault(ctx, "reset", "--lab="+found.Name)
	}
	Expect(points).NotTo(BeEmpty())
	return l, before, points
}

func resetAndCompare(ctx context.Context, l lab.Lab, before undo.Recorded, what, line string) {
	GinkgoHelper()
	_, name, _ := strings.Cut(l.Name(), ":")
	// Twice: the second must find nothing to do.
	netfault(ctx, "reset", "--lab="+name)
	netfault(ctx, "reset", "--lab="+name)
	after, err := undo.Record(ctx, l)
	Expect(err).NotTo(HaveOccurred())
	Expect(undo.Diff(before, after)).To(BeEmpty(), "%s killed at %q", what, line)
	Expect(filepath.Join(l.StateDir(), "journal.json")).NotTo(BeAnExistingFile())
}

// skipUnavailable skips the spec where the scenario cannot come about.
func skipUnavailable(ctx context.Context, name string, inject []string) {
	out, err := program(ctx, inject...).CombinedOutput()
	if err != nil && strings.Contains(string(out), "cannot come about here") {
		Skip(string(out))
	}
	Expect(err).NotTo(HaveOccurred(), string(out))
	netfault(ctx, "reset", "--lab="+name)
}

func everyLine(string) bool { return true }

// changes picks the lines that tell of a change or a command.
func changes(line string) bool { return change.MatchString(line) }

// changesAndSteps picks those that begin a step as well.
func changesAndSteps(line string) bool { return stepBegins.MatchString(line) || changes(line) }

// repeats says that the i-th line does on another node, or to another, what a line before it did: killing there, too, would
// show nothing new.
func repeats(lines []string, i int) bool {
	shape := func(line string) string {
		return digits.ReplaceAllString(kindNode.ReplaceAllString(line, "n0"), "0")
	}
	return slices.ContainsFunc(lines[:i], func(line string) bool { return shape(line) == shape(lines[i]) })
}

var (
	digits   = regexp.MustCompile(`[0-9]+`)
	kindNode = regexp.MustCompile(`netfault-\S+?-(control-plane|worker[0-9]*)`)
)

var (
	stepBegins = regexp.MustCompile(`^[a-z-]+ [a-z]+: [^o(F]`)
	change     = regexp.MustCompile(`^    (\S+# |delete |create |flanneld made |\S+ (loses|has) the API)`)
)

// program is the netfault that was built beside this test.
func program(ctx context.Context, args ...string) *exec.Cmd {
	self, err := os.Executable()
	Expect(err).NotTo(HaveOccurred())
	return exec.CommandContext(ctx, filepath.Join(filepath.Dir(self), "netfault"), args...)
}

// labUp is the command that makes a lab of a flavour.
func labUp(ctx context.Context, found labs.Found, f labs.Flavour) *exec.Cmd {
	cmd := program(ctx, "lab", "up", "--lab="+found.Name, "--kind="+string(found.Kind), "--pods="+string(f.Pods))
	cmd.Env = append(os.Environ(), tools.FlannelVariable+"="+f.Flannel)
	return cmd
}

func netfault(ctx context.Context, args ...string) string {
	GinkgoHelper()
	out, err := program(ctx, args...).CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "netfault %s:\n%s", strings.Join(args, " "), out)
	return string(out)
}

// lines runs the program to its end and returns the lines that pick chooses.
func lines(ctx context.Context, pick func(string) bool, args ...string) []string {
	GinkgoHelper()
	var picked []string
	for line := range strings.Lines(netfault(ctx, args...)) {
		if pick(strings.TrimSuffix(line, "\n")) {
			picked = append(picked, strings.TrimSuffix(line, "\n"))
		}
	}
	return picked
}

// killAt starts the program and kills it when it prints the i-th line that pick chooses. It returns false if the program
// printed the line but ended by itself, well, before the signal came.
func killAt(ctx context.Context, i int, pick func(string) bool, args ...string) bool {
	GinkgoHelper()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	cmd := program(ctx, args...)
	out, err := cmd.StdoutPipe()
	Expect(err).NotTo(HaveOccurred())
	var said, complained strings.Builder
	cmd.Stderr = &complained
	Expect(cmd.Start()).To(Succeed())
	scanner := bufio.NewScanner(out)
	n := -1
	for n < i && scanner.Scan() {
		fmt.Fprintln(&said, scanner.Text())
		if pick(scanner.Text()) {
			n++
		}
	}
	killErr := cmd.Process.Kill()
	waitErr := cmd.Wait()
	Expect(n).To(Equal(i), "netfault %s ended before its line %d:\n%s%s", strings.Join(args, " "), i, &said, &complained)
	if waitErr == nil {
		return false
	}
	Expect(killErr).NotTo(HaveOccurred())
	Expect(waitErr).To(MatchError("signal: killed"), "netfault %s:\n%s%s", strings.Join(args, " "), &said, &complained)
	return true
}
