package kind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/netfault/netfault/framework/internal/namespaces"
	"github.com/netfault/netfault/framework/machine"
)

// nodePath is that of kind's node images.
const nodePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Enter runs the command in the container, on a terminal of its own. It is the one thing that is not done through the engine, whose
// terminals are its own: it needs root, and an engine whose containers are this machine's processes.
func (p *Place) Enter(ctx context.Context, tty *os.File, env []string, argv ...string) error {
	inside, err := p.namespaces(ctx)
	if err != nil {
		return err
	}
	cmd, err := inside.Start(ctx, nodePath, argv, []string{"PATH=" + nodePath}, namespaces.OnTerminal(tty, env))
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	err = cmd.Wait()
	if exit, ended := errors.AsType[*exec.ExitError](err); ended && ctx.Err() == nil {
		return &machine.ExitError{Machine: p.name, Argv: argv, Code: machine.ExitCode(exit.ProcessState)}
	}
	return err
}

// namespaces are the container's, with the pod's network if the place is one, as this machine has them.
func (p *Place) namespaces(ctx context.Context) (namespaces.Of, error) {
	if p.down != "" {
		return namespaces.Of{}, errors.New(p.down)
	}
	name := p.container.String()
	pid, err := p.container.engine.Output(ctx, "inspect", "--type", "container", "--format", "{{.State.Pid}}", name)
	if err != nil {
		return namespaces.Of{}, err
	}
	root := "/proc/" + strings.TrimSpace(string(pid))
	o := namespaces.Of{Root: root, Net: root, Sealed: true}
	if p.sandbox != 0 {
		o.Net = fmt.Sprintf("%s/root/proc/%d", root, p.sandbox)
	}
	// The number may be another process's where the engine runs in a virtual machine.
	there, err := machine.Output(ctx, p, "readlink", "/proc/self/ns/net")
	if err != nil {
		return namespaces.Of{}, err
	}
	here, err := os.Readlink(o.Net + "/ns/net")
	if err != nil || here != strings.TrimSpace(string(there)) {
		return namespaces.Of{}, fmt.Errorf("%s is no process of this machine, as where the container engine runs in a virtual machine: "+
			"`%s exec -it %s bash` enters it", p.name, p.container.engine.Name, name)
	}
	return o, nil
}
