package scenarios_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/lock"
	"github.com/netfault/netfault/framework/undo"
)

// Signals that can be caught: what netfault has begun is undone, however often and however they come.
var _ = Describe("signals", Ordered, ContinueOnFailure, thoroughly("signals"), func() {
	name := ownName("signals")
	inject := []string{"fault", "inject", "stale-vtep", "--lab=" + name}
	// The change has begun, and the steps after it take seconds.
	const begun = "stale-vtep symptom: "
	var l lab.Lab
	var before undo.Recorded
	BeforeAll(func(ctx context.Context) {
		// Under nohup, what the suite starts would ignore SIGHUP, too. A signal that is caught is the default to it (execve(2)).
		hangUps := make(chan os.Signal, 1)
		signal.Notify(hangUps, syscall.SIGHUP)
		DeferCleanup(signal.Stop, hangUps)
		found := labs.Found{Kind: labs.Netns, Name: name}
		DeferCleanup(func(ctx context.Context) { Expect(found.Remove(ctx)).To(Succeed()) })
		netfault(ctx, "lab", "up", "--lab="+name, "--kind=netns")
		var err error
		l, err = found.Open(ctx)
		Expect(err).NotTo(HaveOccurred())
		before, err = undo.Record(ctx, l)
		Expect(err).NotTo(HaveOccurred())
	})
	undoAll := func(ctx context.Context) {
		GinkgoHelper()
		held, err := lock.Take(ctx, l)
		Expect(err).NotTo(HaveOccurred())
		Expect(undo.Undo(ctx, held)).To(Succeed())
		Expect(held.Release()).To(Succeed())
	}
	AfterEach(undoAll)
	nothingIsLeft := func(ctx context.Context) {
		GinkgoHelper()
		Expect(filepath.Join(l.StateDir(), "journal.json")).NotTo(BeAnExistingFile())
		after, err := undo.Record(ctx, l)
		Expect(err).NotTo(HaveOccurred())
		Expect(undo.Diff(before, after)).To(BeEmpty())
	}

	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP} {
		It(unix.SignalName(sig)+" undoes the fault", func(ctx context.Context) {
			run := begin(program(ctx, inject...), begun)
			run.signal(sig)
			Expect(run.wait()).To(Equal(128+int(sig)), run.output())
			Expect(run.output()).To(ContainSubstring("everything is undone"))
			nothingIsLeft(ctx)
		})
	}

	It("a second Ctrl-C says that the undo goes on", func(ctx context.Context) {
		run := begin(program(ctx, inject...), begun)
		run.signal(syscall.SIGINT)
		run.until("undoing")
		run.signal(syscall.SIGINT)
		Expect(run.wait()).To(Equal(130), run.output())
		Expect(run.output()).To(ContainSubstring("still undoing"))
		nothingIsLeft(ctx)
	})

	It("a third Ctrl-C ends at once and says what to do", func(ctx context.Context) {
		run := begin(program(ctx, inject...), begun)
		run.signal(syscall.SIGINT)
		run.until("undoing")
		run.signal(syscall.SIGINT)
		run.untilSaid("still undoing")
		run.signal(syscall.SIGINT)
		Expect(run.wait()).To(Equal(130), run.output())
		Expect(run.output()).To(ContainSubstring("`netfault reset --lab=" + name + "` undoes what is left"))
		Expect(filepath.Join(l.StateDir(), "journal.json")).To(BeAnExistingFile())
		undoAll(ctx)
		nothingIsLeft(ctx)
	})

	It("a reader that goes away leaves no fault half way", func(ctx context.Context) {
		run := begin(program(ctx, inject...), begun)
		Expect(run.out.Close()).To(Succeed())
		Expect(run.wait()).To(Equal(128+int(syscall.SIGPIPE)), run.output())
		nothingIsLeft(ctx)
	})

	It("a terminal that is closed leaves no fault half way", func(ctx context.Context) {
		master, slave := openTerminal()
		cmd := program(ctx, inject...)
		cmd.Env = append(os.Environ(), "NO_COLOR=1") // lines are told by how they begin
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
		Expect(cmd.Start()).To(Succeed())
		Expect(slave.Close()).To(Succeed())
		waitForLine(bufio.NewScanner(master), begun)
		Expect(master.Close()).To(Succeed())
		Expect(exitCode(cmd.Wait())).To(Equal(128 + int(syscall.SIGHUP)))
		nothingIsLeft(ctx)
	})

	It("detect leaves no folder behind", func(ctx context.Context) {
		for _, times := range []int{1, 3} {
			temp := GinkgoT().TempDir()
			cmd := program(ctx, "detect", "--lab="+name)
			cmd.Env = append(os.Environ(), "TMPDIR="+temp)
			run := begin(cmd, "")
			Eventually(func() ([]os.DirEntry, error) { return os.ReadDir(temp) }).WithPolling(time.Millisecond).ShouldNot(BeEmpty())
			for range times {
				run.signal(syscall.SIGTERM)
			}
			Expect(run.wait()).To(Equal(143), run.output())
			Expect(os.ReadDir(temp)).To(BeEmpty())
		}
	})

	It("lab shell passes them on, and flags after the machine are the command's", func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP} {
			// The trap answers with a code of its own; without one, the signal's counts.
			trap := program(ctx, "lab", "shell", "--lab="+name, "n1", "--", "sh", "-c", "trap 'exit 7' TERM HUP; echo ready; while :; do sleep 0.01; done")
			run := begin(trap, "ready")
			Expect(syscall.Kill(trap.Process.Pid, sig)).To(Succeed())
			Expect(run.wait()).To(Equal(7), run.output())

			plain := program(ctx, "lab", "shell", "--lab="+name, "n1", "sh", "-c", "echo ready; exec sleep 60")
			run = begin(plain, "ready")
			Expect(syscall.Kill(plain.Process.Pid, sig)).To(Succeed())
			Expect(run.wait()).To(Equal(128+int(sig)), run.output())
		}
		Expect(netfault(ctx, "lab", "shell", "--lab="+name, "n1", "ip", "-j", "link", "show", "dev", "eth0")).To(HavePrefix("["))
	})
})

// started is a program that runs in a process group of its own, as a shell starts it at a terminal.
type started struct {
	cmd  *exec.Cmd
	out  io.ReadCloser
	scan *bufio.Scanner
	said strings.Builder
	// complained is what it wrote to standard error.
	complained *os.File
}

// begin starts the program and returns when it prints a line that begins so.
func begin(cmd *exec.Cmd, line string) *started {
	GinkgoHelper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// What it has started may hold its output open.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	complained, err := os.Create(filepath.Join(GinkgoT().TempDir(), "stderr"))
	Expect(err).NotTo(HaveOccurred())
	cmd.Stderr = complained
	out, err := cmd.StdoutPipe()
	Expect(err).NotTo(HaveOccurred())
	Expect(cmd.Start()).To(Succeed())
	s := &started{cmd: cmd, out: out, scan: bufio.NewScanner(out), complained: complained}
	if line != "" {
		s.until(line)
	}
	return s
}

// signal sends it to the whole group, as a terminal does.
func (s *started) signal(sig syscall.Signal) {
	GinkgoHelper()
	Expect(syscall.Kill(-s.cmd.Process.Pid, sig)).To(Succeed())
}

// until reads on to a line that begins so.
func (s *started) until(line string) {
	GinkgoHelper()
	fmt.Fprintln(&s.said, waitForLine(s.scan, line))
}

// untilSaid waits until standard error contains the words.
func (s *started) untilSaid(words string) {
	GinkgoHelper()
	Eventually(s.output).WithPolling(time.Millisecond).Should(ContainSubstring(words))
}

// wait returns the exit code, -1 for a program that a signal ended.
func (s *started) wait() int {
	GinkgoHelper()
	for s.scan.Scan() {
		fmt.Fprintln(&s.said, s.scan.Text())
	}
	return exitCode(s.cmd.Wait())
}

// output is what was read so far, and what stands on standard error by now.
func (s *started) output() string {
	complained, err := os.ReadFile(s.complained.Name())
	Expect(err).NotTo(HaveOccurred())
	return s.said.String() + string(complained)
}

func waitForLine(scan *bufio.Scanner, begins string) string {
	GinkgoHelper()
	var said strings.Builder
	for scan.Scan() {
		fmt.Fprintln(&said, scan.Text())
		if strings.HasPrefix(scan.Text(), begins) {
			return said.String()
		}
	}
	Fail(fmt.Sprintf("no line begins with %q in:\n%s", begins, &said))
	return ""
}

func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	Expect(err).NotTo(HaveOccurred())
	return 0
}

// openTerminal returns both ends of a pseudo-terminal (pts(4)).
func openTerminal() (master, slave *os.File) {
	GinkgoHelper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	Expect(err).NotTo(HaveOccurred())
	var number uint32
	raw, err := master.SyscallConn()
	Expect(err).NotTo(HaveOccurred())
	err = raw.Control(func(fd uintptr) {
		Expect(unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0)).To(Succeed())
		n, err := unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		Expect(err).NotTo(HaveOccurred())
		number = uint32(n)
	})
	Expect(err).NotTo(HaveOccurred())
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	Expect(err).NotTo(HaveOccurred())
	return master, slave
}
