// Package snapshot takes an evidence bundle from a running lab.
package snapshot

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/collect"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/probe"
)

// Take writes a bundle of the lab into dir, which must not exist or be empty, and returns the probes in it. First the nodes are
// read, side by side, and what Kubernetes says, where there is one; then the probes run, and what counts is read again, so that
// what the probes made a counter do can be seen. Tool is the program and its version.
func Take(ctx context.Context, l lab.Lab, tool, dir string) ([]evidence.Probe, error) {
	var probes []evidence.Probe
	var sources []collect.Source
	for _, n := range l.Nodes() {
		sources = append(sources, source{n, l.Agent()})
	}
	// What plays flannel's part is told with it: it may be a stand-in.
	tool = fmt.Sprintf("%s, on a lab with %s", tool, l.Flannel())
	info := evidence.Info{Version: evidence.LayoutVersion, CollectedAt: time.Now().UTC(), Cluster: l.Name(), Tool: tool}
	err := collect.Gather(ctx, dir, info, sources,
		func(dir string) error {
			leases, err := l.Leases(ctx)
			if err != nil {
				return err
			}
			return collect.WriteLeases(dir, leases)
		},
		func(dir string) error {
			if l.API() == nil {
				return nil
			}
			return kubernetes(ctx, l.API(), dir)
		},
		func(dir string) error {
			var err error
			if probes, err = probe.Run(ctx, l); err != nil {
				return fmt.Errorf("probes: %w", err)
			}
			return collect.WriteProbes(dir, probes)
		},
		func(dir string) error { return collect.GatherLater(ctx, dir, sources) },
	)
	return probes, err
}

// source runs the collector on a node.
type source struct {
	machine.Machine
	agent string
}

func (s source) Node(ctx context.Context, w io.Writer) error { return s.run(ctx, w, "collect") }

func (s source) Later(ctx context.Context, w io.Writer) error { return s.run(ctx, w, "later") }

func (s source) run(ctx context.Context, w io.Writer, command string) error {
	return s.Run(ctx, machine.Command{Argv: []string{s.agent, command}, Stdout: w})
}
