// Package namespaces has code and commands run inside the namespaces of other processes.
package namespaces

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Of are the namespaces to enter, by the folders of processes under /proc.
type Of struct {
	// Root is of the process whose mount, host-name and PID namespaces are entered, Net of the one whose network namespace is.
	Root, Net string
	// Sealed enters Root's control group and IPC namespaces, too, so that nothing of where a command came from is seen there.
	Sealed bool
}

// OpenError is a namespace that could not be opened; it wraps fs.ErrNotExist if its process has ended.
type OpenError struct {
	Path string
	Err  error
}

func (e *OpenError) Error() string { return fmt.Sprintf("namespace %s: %v", e.Path, e.Err) }

// Unwrap returns the reason.
func (e *OpenError) Unwrap() error { return e.Err }

// Do runs f on a thread of its own inside, but in this process's PID namespace. What f opens there (sockets, files) stays usable outside.
func (o Of) Do(f func() error) error { return o.onThread(false, f) }

// Start starts a command inside, once prepare has said how. Its program is looked up in the file system there, on the PATH given.
func (o Of) Start(ctx context.Context, path string, argv, env []string, prepare func(*exec.Cmd)) (*exec.Cmd, error) {
	var cmd *exec.Cmd
	err := o.onThread(true, func() error {
		program, err := LookPath(path, argv[0])
		if err != nil {
			return err
		}
		cmd = exec.CommandContext(ctx, program, argv[1:]...)
		cmd.Args[0] = argv[0]
		cmd.Dir = "/"
		cmd.Env = env
		prepare(cmd)
		return cmd.Start()
	})
	return cmd, err
}

// OnTerminal prepares a command for a terminal of its own, with env beside its environment.
func OnTerminal(tty *os.File, env []string) func(*exec.Cmd) {
	return func(cmd *exec.Cmd) {
		cmd.Env = append(cmd.Env, env...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	}
}

func (o Of) onThread(withPID bool, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked, so that the thread ends with the goroutine
		if err := o.enter(withPID); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}

// enter moves the calling thread, for good: it must be locked and is lost afterwards.
func (o Of) enter(withPID bool) error {
	type step struct {
		path string
		kind int
	}
	steps := []step{{o.Root + "/ns/mnt", unix.CLONE_NEWNS}, {o.Root + "/ns/uts", unix.CLONE_NEWUTS}, {o.Net + "/ns/net", unix.CLONE_NEWNET}}
	if o.Sealed {
		steps = append(steps, step{o.Root + "/ns/cgroup", unix.CLONE_NEWCGROUP}, step{o.Root + "/ns/ipc", unix.CLONE_NEWIPC})
	}
	if withPID {
		steps = append(steps, step{o.Root + "/ns/pid", unix.CLONE_NEWPID})
	}
	// All are opened first: once inside, the paths mean something else.
	var fds []int
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	for _, s := range steps {
		fd, err := unix.Open(s.path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return &OpenError{s.path, err}
		}
		fds = append(fds, fd)
	}
	// A mount namespace can only be entered by a thread that shares its root folder with no other.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	for i, s := range steps {
		if err := unix.Setns(fds[i], s.kind); err != nil {
			return fmt.Errorf("enter %s: %w", s.path, err)
		}
	}
	return nil
}

// LookPath returns where a program is on a PATH, which need not be this process's.
func LookPath(path, name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for dir := range strings.SplitSeq(path, ":") {
		program := dir + "/" + name
		if info, err := os.Stat(program); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return program, nil
		}
	}
	return "", fmt.Errorf("there is no program %q; `netfault doctor` says what is missing", name)
}
