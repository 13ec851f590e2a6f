// Package snapshot takes an evidence bundle from a running lab.
package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/collect"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/probe"
	"github.com/netfault/netfault/framework/tools"
	"github.com/netfault/netfault/framework/wait"
)

// How long an answer may take. A node with hundreds of thousands of connections takes some 10 s on a slow machine, and kubectl 1 s;
// what is stuck must not keep the rest from being judged.
const (
	nodeLimit    = time.Minute
	clusterLimit = 30 * time.Second
)

// Take writes a bundle of the lab into dir, which must not exist or be empty, and returns the probes in it. First the nodes are
// read, side by side, and what Kubernetes says, where there is one; then the probes run, and what counts is read again, so that
// what the probes made a counter do can be seen. Tool is the program and its version.
//
// What cannot be had does not stop the rest: the error is a *collect.IncompleteError then, and the bundle can be judged.
func Take(ctx context.Context, l lab.Lab, tool, dir string) ([]evidence.Probe, error) {
	var probes []evidence.Probe
	var sources []collect.Source
	for _, n := range l.Nodes() {
		sources = append(sources, source{n, l.Agent()})
	}
	// What plays flannel's part is told with it: it may be a stand-in.
	tool = fmt.Sprintf("%s, on a lab with %s and kube-proxy's %s rules", tool, l.Flannel(), l.KubeProxy())
	info := evidence.Info{Version: evidence.LayoutVersion, CollectedAt: time.Now().UTC(), Cluster: l.Name(), Tool: tool, StandIns: standIns(l)}
	err := collect.Gather(ctx, dir, info, sources,
		func(dir string) error {
			return collect.WriteLeases(dir, func() (leases []evidence.Lease, err error) {
				err = within(ctx, clusterLimit, func(ctx context.Context) error {
					leases, err = l.Leases(ctx)
					return err
				})
				return leases, err
			})
		},
		func(dir string) error {
			if l.API() == nil {
				return nil
			}
			return kubernetes(ctx, l.API(), dir)
		},
		func(dir string) error {
			var err error
			probes, err = probe.Run(ctx, l)
			return errors.Join(err, collect.WriteProbes(dir, probes))
		},
		func(dir string) error { return collect.GatherLater(ctx, dir, sources) },
	)
	return probes, err
}

// standIns says what plays the part of a real program on the lab. An emulated tcp_tw_recycle is in the nodes' own evidence.
func standIns(l lab.Lab) (all []string) {
	if tools.HasStandIn(l.Flannel().Version()) {
		all = append(all, l.Flannel().String())
	}
	if l.Pods() == lab.DockerBridge && l.Docker() == lab.DockerRecorded {
		all = append(all, lab.DockerRecorded+" for dockerd")
	}
	return all
}

// source runs the collector on a node.
type source struct {
	machine.Machine
	agent string
}

func (s source) Node(ctx context.Context, w io.Writer) error { return s.run(ctx, w, "collect") }

func (s source) Later(ctx context.Context, w io.Writer) error { return s.run(ctx, w, "later") }

func (s source) run(ctx context.Context, w io.Writer, command string) error {
	return within(ctx, nodeLimit, func(ctx context.Context) error {
		return s.Run(ctx, machine.Command{Argv: []string{s.agent, command}, Stdout: w})
	})
}

// within calls f with a context that ends after limit, and says so if that is what ended f.
func within(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	limited, cancel := wait.Patience(ctx, limit)
	defer cancel()
	err := f(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("no answer within %v: %w", limit, err)
	}
	return err
}
