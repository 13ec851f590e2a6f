package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/internal/namespaces"
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

// entering is the error of a namespace that cannot be opened.
func (p *place) entering(path string, err error) error {
	if errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("%s does not run (any more): is its lab down?", p.name)
	}
	return fmt.Errorf("%s: namespace %s: %w", p.name, path, err)
}

// do runs f on a thread of its own inside the place. What f opens there (sockets, files) stays usable outside.
func (p *place) do(f func() error) error { return p.entered(p.inside().Do(f)) }

// inside are the place's namespaces.
func (p *place) inside() namespaces.Of {
	return namespaces.Of{Root: p.root, Net: p.net, Sealed: p.sealed}
}

// entered says of a place that cannot be entered what that is.
func (p *place) entered(err error) error {
	if failed, ok := errors.AsType[*namespaces.OpenError](err); ok {
		return p.entering(failed.Path, failed.Err)
	}
	return err
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
	cmd, err := p.start(ctx, argv, namespaces.OnTerminal(tty, env))
	if err != nil {
		return err
	}
	return p.wait(ctx, cmd, argv, &machine.Tail{})
}

// start starts a command inside the place's namespaces, once prepare has said how.
func (p *place) start(ctx context.Context, argv []string, prepare func(*exec.Cmd)) (*exec.Cmd, error) {
	cmd, err := p.inside().Start(ctx, agent.Path, argv, p.environment(), prepare)
	if failed, ok := errors.AsType[*namespaces.OpenError](err); ok {
		return nil, p.entering(failed.Path, failed.Err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	return cmd, nil
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
