package agent

import (
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"
	"syscall"

	"github.com/netfault/netfault/framework/procstat"
)

// family knows the processes that a machine's first process has started itself, and waits for. Others become its children when
// they lose their parent: what a command had started that entered the machine and was killed. Nobody else takes those away when
// they end; they would stay as zombies for as long as the lab stands.
type family struct {
	// starting is held for reading while a process starts and is not among own yet.
	starting sync.RWMutex
	own      sync.Map // process IDs
}

// start starts cmd by calling start.
func (f *family) start(cmd *exec.Cmd, start func() error) error {
	f.starting.RLock()
	defer f.starting.RUnlock()
	if err := start(); err != nil {
		return err
	}
	f.own.Store(cmd.Process.Pid, true)
	return nil
}

// wait is cmd.Wait for a command that was started by start.
func (f *family) wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	f.own.Delete(cmd.Process.Pid)
	return err
}

// run starts cmd and waits for it.
func (f *family) run(cmd *exec.Cmd) error {
	if err := f.start(cmd, cmd.Start); err != nil {
		return err
	}
	return f.wait(cmd)
}

// reapForever takes orphans away as they end.
func (f *family) reapForever() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	for range ended {
		f.reap()
	}
}

// reap takes away every child that has ended and is not this process's own.
func (f *family) reap() {
	f.starting.Lock()
	defer f.starting.Unlock()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return // the next child that ends brings the next look
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if _, own := f.own.Load(pid); own {
			continue
		}
		if stat, err := procstat.Read(pid); err == nil && stat.Zombie && stat.Parent == os.Getpid() {
			_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}
	}
}
