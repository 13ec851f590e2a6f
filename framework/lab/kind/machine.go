package kind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"

	"golang.org/x/term"
	"sigs.k8s.io/kind/pkg/cluster/nodes"
	kindexec "sigs.k8s.io/kind/pkg/exec"

	"github.com/netfault/netfault/framework/engine"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/session"
)

// Place is a machine of the lab: a container, or a pod's network namespace inside one.
type Place struct {
	name      string
	container *container
	// sandbox is the process ID, in the container, of the pod's first process; 0 for the container itself.
	sandbox int
	// down says why nothing can run there; empty for a machine that runs.
	down string
}

// container is a container of the lab, and the session in it that runs all commands once netfault-agent is there.
type container struct {
	nodes.Node
	engine engine.Engine
	// agent is the path of netfault-agent there.
	agent string

	mu       sync.Mutex
	hasAgent bool
	session  *session.Session
}

// Name is the Kubernetes name of the node or pod, or "host".
func (p *Place) Name() string { return p.name }

// Run runs the command in the container: with its files, processes and, for a pod, the pod's network namespace.
func (p *Place) Run(ctx context.Context, c machine.Command) error {
	if p.down != "" {
		return errors.New(p.down)
	}
	argv := c.Argv
	if p.sandbox != 0 {
		argv = append([]string{"nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", p.sandbox), "--"}, argv...)
	}
	if f, ok := c.Stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return p.interactive(ctx, c, argv)
	}
	tail := &machine.Tail{}
	command := session.Command{Argv: argv, Stdin: c.Stdin, Stdout: c.Stdout, Stderr: c.Stderr, Signals: c.Signals}
	if c.Stderr == nil {
		command.Stderr = tail
	}
	code, err := p.container.run(ctx, command)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %s: %w", p.name, strings.Join(c.Argv, " "), ctx.Err())
	case err != nil:
		return fmt.Errorf("%s: %s: %w", p.name, strings.Join(c.Argv, " "), err)
	}
	return p.failure(code, c.Argv, tail.String())
}

// run returns the command's exit code.
func (c *container) run(ctx context.Context, command session.Command) (int, error) {
	s, err := c.open(ctx)
	if err != nil {
		return 0, err
	}
	if s != nil {
		return s.Run(ctx, command)
	}
	cmd := c.CommandContext(ctx, command.Argv[0], command.Argv[1:]...)
	if command.Stdin != nil {
		cmd.SetStdin(command.Stdin)
	}
	if command.Stdout != nil {
		cmd.SetStdout(command.Stdout)
	}
	err = cmd.SetStderr(command.Stderr).Run()
	run := kindexec.RunErrorForError(err)
	var exit *exec.ExitError
	if run != nil && errors.As(run.Inner, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// open returns the container's session, a new one if the last has ended; nil as long as netfault-agent is not there.
func (c *container) open(ctx context.Context) (*session.Session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.hasAgent || c.session != nil && !c.session.Ended() {
		return c.session, nil
	}
	s, err := session.Open(ctx, c.engine.Name, "exec", "--interactive", "--privileged", c.String(), c.agent, "session")
	if err != nil {
		return nil, err
	}
	c.session = s
	return s, nil
}

// agentIsThere is called once netfault-agent is in the container.
func (c *container) agentIsThere() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hasAgent = true
}

// failure tells a command that failed from one that could not be started.
func (p *Place) failure(code int, argv []string, stderr string) error {
	stderr = strings.TrimSpace(stderr)
	switch code {
	case 0:
		return nil
	// 125 is the engine's own, 126 and 127 are the engine's or nsenter's (docker-run(1), podman-exec(1)).
	case 125, 126, 127:
		return fmt.Errorf("%s: %q could not be started there: %s", p.name, argv[0], stderr)
	}
	return &machine.ExitError{Machine: p.name, Argv: argv, Code: code, Stderr: stderr}
}

// interactive gives the command a terminal of its own. Signals end the engine's program, which does not pass them on; what
// Ctrl-C and its like are on the terminal, the terminal in the container makes.
func (p *Place) interactive(ctx context.Context, c machine.Command, argv []string) error {
	args := append([]string{"exec", "--interactive", "--tty", "--privileged", p.container.String()}, argv...)
	cmd := exec.CommandContext(ctx, p.container.engine.Name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Stdout, c.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	defer close(ended)
	if c.Signals != nil {
		// An error means that the command has ended meanwhile.
		go machine.PassSignals(c.Signals, ended, func(s os.Signal) { _ = cmd.Process.Signal(s) })
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return p.failure(machine.ExitCode(exit.ProcessState), c.Argv, "")
	}
	return err
}
