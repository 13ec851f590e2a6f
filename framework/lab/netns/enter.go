package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/machine"
)

// place is a machine of the embedded lab: a set of namespaces, named by paths under /proc.
type place struct {
	name string
	// root is the /proc folder of the machine's first process, whose mount, PID and host-name namespaces are entered.
	root string
	// net is the /proc folder of the process whose network namespace is entered: root again, or a pod's.
	net string
}

func (p *place) Name() string { return p.name }

// NeedRoot returns an error, with what to do, for whoever is not root: only root can make, enter and remove an embedded lab.
func NeedRoot() error {
	if os.Geteuid() == 0 {
		return nil
	}
	return errors.New("embedded labs are root's: run this with sudo, or without root in the shell of `hack/rootless bash`, from netfault's checkout")
}

// enter moves the calling thread into the place, for good: the thread must be locked and is lost afterwards.
func (p *place) enter(withPID bool) error {
	type step struct {
		path string
		kind int
	}
	steps := []step{{p.root + "/ns/mnt", unix.CLONE_NEWNS}, {p.root + "/ns/uts", unix.CLONE_NEWUTS}, {p.net + "/ns/net", unix.CLONE_NEWNET}}
	if withPID {
		steps = append(steps, step{p.root + "/ns/pid", unix.CLONE_NEWPID})
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
		if errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("%s does not run (any more): is its lab down?", p.name)
		}
		if err != nil {
			return fmt.Errorf("%s: namespace %s: %w", p.name, s.path, err)
		}
		fds = append(fds, fd)
	}
	// A mount namespace can only be entered by a thread that shares its root folder with no other.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	for i, s := range steps {
		if err := unix.Setns(fds[i], s.kind); err != nil {
			return fmt.Errorf("%s: enter %s: %w", p.name, s.path, err)
		}
	}
	return nil
}

// do runs f on a thread of its own inside the place. What f opens there (sockets, files) stays usable outside.
func (p *place) do(f func() error) error {
	return p.onThread(false, f)
}

func (p *place) onThread(withPID bool, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked, so that the thread ends with the goroutine
		if err := p.enter(withPID); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}

// Run runs the command inside the place's namespaces.
func (p *place) Run(ctx context.Context, c machine.Command) error {
	var cmd *exec.Cmd
	tail := &machine.Tail{}
	err := p.onThread(true, func() error {
		// Made here, so that the program is looked up in the place's own file system and PATH.
		path, err := lookPath(c.Argv[0])
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		cmd = exec.CommandContext(ctx, path, c.Argv[1:]...)
		cmd.Args[0] = c.Argv[0]
		cmd.Dir = "/"
		cmd.Env = append(os.Environ(), "PATH="+agent.Path)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Stdout, c.Stderr
		if c.Stderr == nil {
			cmd.Stderr = tail
		}
		if c.Signals == nil {
			machine.OwnGroup(cmd)
		}
		return cmd.Start()
	})
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	defer close(ended)
	if c.Signals != nil {
		// An error means that the command has ended meanwhile.
		go machine.PassSignals(c.Signals, ended, func(s os.Signal) { _ = cmd.Process.Signal(s) })
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		return &machine.ExitError{Machine: p.name, Argv: c.Argv, Code: machine.ExitCode(exit.ProcessState), Stderr: tail.String()}
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", p.name, strings.Join(c.Argv, " "), err)
	}
	return nil
}

func lookPath(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for dir := range strings.SplitSeq(agent.Path, ":") {
		path := dir + "/" + name
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no program %q; `netfault doctor` says what is missing", name)
}
