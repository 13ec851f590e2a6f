package machine

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// OwnGroup puts a command that is not started yet in a process group of its own, so that Ctrl-C, which a terminal sends to
// all of netfault's own group, does not end what netfault still needs to clear up. When the command's context ends, all of
// the group is killed.
func OwnGroup(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if cmd.Cancel != nil { // made with a context
		cmd.Cancel = func() error {
			err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			if errors.Is(err, syscall.ESRCH) {
				return os.ErrProcessDone
			}
			return err
		}
	}
}

// ExitCode is the exit code of a process that has ended; 128 and the signal's number if one ended it, as shells have it.
func ExitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// PassSignals sends the process what comes on signals, until ended is closed.
func PassSignals(signals <-chan os.Signal, ended <-chan struct{}, send func(os.Signal)) {
	for {
		select {
		case s := <-signals:
			send(s)
		case <-ended:
			return
		}
	}
}
