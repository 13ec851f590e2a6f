// Package guard runs tests that make labs in a process of their own, and clears up behind it however it ended: by a signal that
// it does not catch, by signals that make it skip its own clearing up (Ginkgo's second), by a panic, or by its time limit.
package guard

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/netfault/netfault/framework/machine"
)

// variable marks the process that runs the tests.
const variable = "NETFAULT_GUARDED"

// Run runs the tests in a child of this process, and then clearUp with the child's process ID, which the labs of tests have in
// their names. It returns the exit code: 128 and the number of the first signal if one came and the tests did not end well.
//
// The first signal is passed on, so that the tests clear up by themselves; the second only says that this goes on; the third
// kills them, and clearUp does what they did not. make passes on what all of its process group gets already, so that one
// signal for people may be two or three here.
func Run(tests func() int, clearUp func(ctx context.Context, pid int) error) int {
	if os.Getenv(variable) != "" {
		if err := os.Unsetenv(variable); err != nil { // tests that start tests have guards of their own
			return fail(err)
		}
		return tests()
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		signal.Notify(signals, syscall.SIGHUP)
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // caught and dropped: nobody may read any more what is said here
	cmd, ended, err := start()
	if err != nil {
		return fail(err)
	}
	first := watch(cmd, signals, ended)
	// What the tests have started and left would go on to make what is cleared up. ESRCH: nothing is left.
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	code := machine.ExitCode(cmd.ProcessState)
	if err := clearUp(context.Background(), cmd.Process.Pid); err != nil {
		code = max(code, fail(err))
	}
	if first != 0 && code != 0 {
		return 128 + int(first)
	}
	return code
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// start starts the child, in a process group of its own, which a terminal's signals do not reach. Should this process be killed,
// the child gets a signal that it catches.
func start() (*exec.Cmd, chan struct{}, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), variable+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	// The child's parent is, to Pdeathsig, the thread that starts it (prctl(2)): it must last.
	runtime.LockOSThread()
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // what it says stands in the state, too
		close(ended)
	}()
	return cmd, ended, nil
}

// watch returns once the child has ended, with the first signal that came until then, 0 if none did.
func watch(cmd *exec.Cmd, signals <-chan os.Signal, ended <-chan struct{}) (first syscall.Signal) {
	for count := 1; ; count++ {
		select {
		case <-ended:
			return first
		case s := <-signals:
			// An error of a signal means that the child has ended meanwhile.
			switch count {
			case 1:
				first = s.(syscall.Signal)
				if first == syscall.SIGHUP || first == syscall.SIGQUIT { // Ginkgo does not know the one, and Go ends with the other
					s = syscall.SIGTERM
				}
				_ = cmd.Process.Signal(s)
			case 2:
				fmt.Fprintln(os.Stderr, "still clearing up, so that nothing is left behind; a third signal ends the tests at once, and removes their labs")
			default:
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			}
		}
	}
}
