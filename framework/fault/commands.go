package fault

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
)

// runCommands runs commands as somebody with a terminal on every node would: those of one node one after the other, those of
// several nodes side by side. A command for the cluster's API waits for all before it, and those after it wait for it.
func (l *Life) runCommands(ctx context.Context, commands []detectors.Command) error {
	for len(commands) > 0 {
		if commands[0].Node == "" {
			if err := l.runInOrder(ctx, commands[:1]); err != nil {
				return err
			}
			commands = commands[1:]
			continue
		}
		end := slices.IndexFunc(commands, func(c detectors.Command) bool { return c.Node == "" })
		if end < 0 {
			end = len(commands)
		}
		// One that fails does not cut off those of other nodes half way.
		var group errgroup.Group
		for _, own := range byNode(commands[:end]) {
			group.Go(func() error { return l.runInOrder(ctx, own) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
		commands = commands[end:]
	}
	return nil
}

// byNode returns the commands of each node in their order, the nodes in the order of their first command.
func byNode(commands []detectors.Command) [][]detectors.Command {
	var all [][]detectors.Command
	for _, c := range commands {
		i := slices.IndexFunc(all, func(own []detectors.Command) bool { return own[0].Node == c.Node })
		if i < 0 {
			i = len(all)
			all = append(all, nil)
		}
		all[i] = append(all[i], c)
	}
	return all
}

func (l *Life) runInOrder(ctx context.Context, commands []detectors.Command) error {
	for _, c := range commands {
		m, err := l.placeOf(c)
		if err != nil {
			return err
		}
		l.say(c.Typed())
		if _, err := machine.Output(ctx, m, c.Argv...); err != nil {
			return err
		}
	}
	return nil
}

// placeOf is where a command of a remedy is run.
func (l *Life) placeOf(c detectors.Command) (machine.Machine, error) {
	if c.Node == "" {
		if l.Lab.API() == nil {
			return nil, fmt.Errorf("%s has no Kubernetes API, which %s needs", l.Lab.Name(), c)
		}
		return l.Lab.API(), nil
	}
	nodes := l.Lab.Nodes()
	i := slices.IndexFunc(nodes, func(n lab.Node) bool { return n.Name() == c.Node })
	if i < 0 {
		return nil, fmt.Errorf("no node %q to run %s on", c.Node, c)
	}
	return nodes[i], nil
}
