package scenarios_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	. "github.com/onsi/ginkgo/v2"

	"github.com/netfault/netfault/framework/machine"
)

var procs = flag.Int("procs", 1, "processes that share the specs, each with labs of its own; they are started by the program ginkgo beside this one")

// ofSuite is by what the suite's guard finds the labs of the processes that share it.
var ofSuite = flag.Int("of", 0, "process ID of the suite that this process has a share in")

// ownName is a name for a lab of this process, which says what it is for and ends with the suite's process ID.
func ownName(what string) string {
	if *ofSuite == 0 {
		return fmt.Sprintf("%s-%d", what, os.Getpid())
	}
	config, _ := GinkgoConfiguration()
	return fmt.Sprintf("%s-%d-%d", what, config.ParallelProcess, *ofSuite)
}

// conduct runs the suite in several processes, and returns its exit code. They share its network namespace, in which they talk
// to Ginkgo's program. Ginkgo's program does not tell its processes of a
// signal that it gets alone, so all of the process group get it.
func conduct() int {
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	end, err := listen(os.Getpid(), os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer end()
	cmd := exec.Command(filepath.Join(filepath.Dir(self), "ginkgo"), ginkgoArgs(self)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	var once sync.Once
	go func() {
		for s := range signals {
			once.Do(func() { _ = syscall.Kill(0, s.(syscall.Signal)) }) // it comes here, too
		}
	}()
	if err := cmd.Run(); cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err, "(make e2e builds it)")
		return 1
	}
	return machine.ExitCode(cmd.ProcessState)
}

// ginkgoArgs are the flags of this program as Ginkgo's own takes them: its own without their prefix, and the others last.
func ginkgoArgs(self string) []string {
	ours := []string{fmt.Sprintf("-of=%d", os.Getpid())}
	args := []string{"run", "--procs=" + strconv.Itoa(*procs)}
	flag.Visit(func(f *flag.Flag) {
		name, ginkgos := strings.CutPrefix(f.Name, "ginkgo.")
		switch {
		case f.Name == "procs" || f.Name == "test.paniconexit0":
		case name == "junit-report":
			args = append(args, "--output-dir="+filepath.Dir(f.Value.String()), "--junit-report="+filepath.Base(f.Value.String()))
		case ginkgos:
			args = append(args, "--"+name+"="+f.Value.String())
		case f.Name == "test.timeout":
			args = append(args, "--timeout="+f.Value.String())
		default:
			ours = append(ours, "-"+f.Name+"="+f.Value.String())
		}
	})
	return append(append(args, self, "--"), ours...)
}
