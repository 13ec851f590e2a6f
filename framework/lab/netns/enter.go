package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

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
	// pod is the process ID, on its node, of a pod's first process; 0 for a machine.
	pod int
	// sealed says that nothing of this machine is to be seen there.
	sealed bool
	// agent is the path of netfault-agent there.
	agent string
}

func (p *place) Name() string { return p.name }

// NeedRoot returns an error, with what to do, for whoever is not root: only root can make, enter and remove an embedded lab.
func NeedRoot() error {
	if os.Geteuid() == 0 {
		return needCapability()
	}
	return errors.New("embedded labs are root's: run this with sudo, or without root in the shell of `hack/rootless bash`, from netfault's checkout")
}

// needCapability returns an error for a root who is that by name only, as in a container without --privileged.
func needCapability() error {
	may, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, unix.CAP_SYS_ADMIN, 0, 0, 0)
	if err == nil && may == 0 {
		err = errors.New("root may not make namespaces here: run the container with --privileged")
	}
	return err
}

// enter moves the calling thread into the place, for good: the thread must be locked and is lost afterwards.
func (p *place) enter(withPID bool) error {
	type step struct {
		path string
		kind int
	}
	steps := []step{{p.root + "/ns/mnt", unix.CLONE_NEWNS}, {p.root + "/ns/uts", unix.CLONE_NEWUTS}, {p.net + "/ns/net", unix.CLONE_NEWNET}}
	if p.sealed {
		steps = append(steps, step{p.root + "/ns/cgroup", unix.CLONE_NEWCGROUP}, step{p.root + "/ns/ipc", unix.CLONE_NEWIPC})
	}
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
		if err != nil {
			return p.entering(s.path, err)
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

// entering is the error of a namespace that cannot be opened.
func (p *place) entering(path string, err error) error {
	if errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("%s does not run (any more): is its lab down?", p.name)
	}
	return fmt.Errorf("%s: namespace %s: %w", p.name, path, err)
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

// Run runs the command inside the place's namespaces. In a sealed lab it is started by the agent that stays there: a process of which this
// one is the parent has, until its program is executed, this one's arguments and environment, and `ps` there may just look.
func (p *place) Run(ctx context.Context, c machine.Command) error {
	if (c.Argv[0] == p.agent || p.sealed) && c.Signals == nil {
		s, err := p.staying(ctx)
		if err != nil {
			return err
		}
		if s != nil {
			return p.ask(ctx, s, c)
		}
	}
	tail := &machine.Tail{}
	cmd, err := p.start(ctx, c.Argv, func(cmd *exec.Cmd) {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Stdout, c.Stderr
		if c.Stderr == nil {
			cmd.Stderr = tail
		}
		if c.Signals == nil {
			machine.OwnGroup(cmd)
		}
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
	return p.wait(ctx, cmd, c.Argv, tail)
}

// Enter runs the command inside the place's namespaces, on a terminal of its own.
func (p *place) Enter(ctx context.Context, tty *os.File, env []string, argv ...string) error {
	cmd, err := p.start(ctx, argv, func(cmd *exec.Cmd) {
		cmd.Env = append(cmd.Env, env...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	})
	if err != nil {
		return err
	}
	return p.wait(ctx, cmd, argv, &machine.Tail{})
}

// start starts a command inside the place's namespaces, once prepare has said how.
func (p *place) start(ctx context.Context, argv []string, prepare func(*exec.Cmd)) (*exec.Cmd, error) {
	var cmd *exec.Cmd
	err := p.onThread(true, func() error {
		// Made here, so that the program is looked up in the place's own file system and PATH.
		path, err := lookPath(argv[0])
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		cmd = exec.CommandContext(ctx, path, argv[1:]...)
		cmd.Args[0] = argv[0]
		cmd.Dir = "/"
		cmd.Env = p.environment()
		prepare(cmd)
		return cmd.Start()
	})
	return cmd, err
}

// wait waits for the end of a command, of which tail has the end of what it said.
func (p *place) wait(ctx context.Context, cmd *exec.Cmd, argv []string, tail *machine.Tail) error {
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		return &machine.ExitError{Machine: p.name, Argv: argv, Code: machine.ExitCode(exit.ProcessState), Stderr: tail.String()}
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", p.name, strings.Join(argv, " "), err)
	}
	return nil
}

// environment is this process's own; of that, one in a sealed lab gets nothing but what its terminal is.
func (p *place) environment() []string {
	if !p.sealed {
		return append(os.Environ(), "PATH="+agent.Path)
	}
	env := []string{"PATH=" + agent.Path, "HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/bash"}
	for _, name := range []string{"TERM", "LANG", "COLORTERM", "PS1"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
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
