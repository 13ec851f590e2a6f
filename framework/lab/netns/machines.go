package netns

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/wait"
)

// startMachines starts the switch, and below it the nodes and the host outside.
func (l *Lab) startMachines(ctx context.Context) error {
	logs := filepath.Join(l.StateDir(), "logs")
	if err := os.MkdirAll(filepath.Join(logs, switchName), 0o755); err != nil {
		return err
	}
	cmd := agent.MachineCommand(l.record.Agent, l.record.Name, agent.Machine{Name: switchName, LogDir: logs})
	if l.record.Sealed {
		cmd.Args = append(cmd.Args, "--seal="+l.seal.String())
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the first process: %w", err)
	}
	running, ended := context.WithCancelCause(ctx)
	defer ended(nil)
	go func() {
		_ = cmd.Wait() // how it ended is told in any case
		ended(fmt.Errorf("it has ended (%v): %s", cmd.ProcessState, bytes.TrimSpace(said.Bytes())))
	}()
	l.root = fmt.Sprintf("/proc/%d", cmd.Process.Pid)
	l.switch_ = l.place(switchName)
	l.switch_.root, l.switch_.net = l.root, l.root
	if err := wait.Until(running, startLimit, "the lab's first process", l.switch_.answers); err != nil {
		return err
	}
	host := l.place(outsideName)
	l.outside = lab.Host{Machine: host, Address: l.outsideAddress()}
	all := []*place{host}
	for _, n := range l.nodes {
		all = append(all, n.place)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, p := range all {
		group.Go(func() error { return l.startMachine(ctx, p) })
	}
	return group.Wait()
}

func (l *Lab) startMachine(ctx context.Context, p *place) error {
	// The switch sees this machine's folder for logs as its own log folder.
	pid, err := l.switch_.client().Spawn(ctx, agent.Machine{Name: p.name, LogDir: agent.LogDir + "/" + p.name})
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.root = fmt.Sprintf("%s/root/proc/%d", l.root, pid)
	p.net = p.root
	return wait.Until(ctx, startLimit, p.name, p.answers)
}

// answers returns nil once the machine's own first process answers. Before a machine has its own /run, the switch's
// socket is seen in its place.
func (p *place) answers(ctx context.Context) error {
	name, err := p.client().Name(ctx)
	if err == nil && name != p.name {
		return fmt.Errorf("%s answers in its place", name)
	}
	return err
}
