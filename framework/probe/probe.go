// Package probe sends real packets through a lab, from every node to every node, and says who answered and which
// source address was seen.
package probe

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/wait"
)

// clientLimit is what a client may need beside the time over which its probes are spread: a second for the probes, and what a
// busy machine takes to begin.
const clientLimit = 30 * time.Second

// startsPerSecond is how many probes of all clients together start in a second: half of what two cores manage.
const startsPerSecond = 1000

// Run makes all probes of the lab side by side, each client in one process: from every pod to every Service, to the pods
// of all other nodes (with small packets and with large ones), to the cluster's DNS and to the host outside; from a second pod to
// the one on the same node; and from the host outside to every Service's NodePort on every node. Results are sorted by kind, from
// and to. A client that cannot make its probes does not stop the others: its probes are Untried, and the error says why.
func Run(ctx context.Context, l lab.Lab) ([]evidence.Probe, error) {
	clients := map[machine.Machine][]agent.Target{l.Outside().Machine: nodePortTargets(l)}
	for _, n := range l.Nodes() {
		clients[n.Pod.Machine] = podTargets(l, n)
		clients[n.Client.Machine] = []agent.Target{podTarget(n, n)}
	}
	total := 0
	for _, targets := range clients {
		total += len(targets)
	}
	// Every client spreads its probes over the same time.
	spread := time.Duration(total) * time.Second / startsPerSecond

	clientCtx, cancel := wait.Patience(ctx, spread+clientLimit)
	defer cancel()
	var mu sync.Mutex
	var all []evidence.Probe
	var failed []string
	var group sync.WaitGroup
	for client, targets := range clients {
		group.Go(func() {
			results, err := From(clientCtx, l, client, agent.Plan{Spacing: spread / time.Duration(len(targets)), Targets: targets})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				results = untried(targets, err)
				failed = append(failed, fmt.Sprintf("the probes of %s: %v", client.Name(), err))
			}
			all = append(all, results...)
		})
	}
	group.Wait()
	slices.SortStableFunc(all, func(a, b evidence.Probe) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	slices.Sort(failed)
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("probes: %w", context.Cause(ctx))
	case len(failed) > 0:
		return all, errors.New(strings.Join(failed, "\n"))
	}
	return all, nil
}

// untried are the results of probes that could not be made.
func untried(targets []agent.Target, why error) []evidence.Probe {
	var results []evidence.Probe
	for _, t := range targets {
		results = append(results, evidence.Probe{
			Kind: t.Kind, From: t.From, To: t.To, Target: t.Address, Untried: true, Error: why.Error(),
		})
	}
	return results
}

func podTargets(l lab.Lab, from lab.Node) []agent.Target {
	var targets []agent.Target
	for _, to := range l.Nodes() {
		service := to.Pod.Service
		targets = append(targets, agent.Target{
			Kind: evidence.ProbeService, From: from.Name(), To: to.Name(), Address: join(service.ClusterIP, service.Port), Expect: to.Pod.Name(),
		})
		if to.Name() != from.Name() {
			targets = append(targets, podTarget(from, to), largeTarget(from, to))
		}
	}
	// The first by name, and not the one with the first part: whoever sees all nodes ask for it learns nothing of the fault.
	first := slices.MinFunc(l.Nodes(), func(a, b lab.Node) int { return cmp.Compare(a.Name(), b.Name()) }).Pod.Service
	return append(targets,
		agent.Target{
			Kind: evidence.ProbeDNS, From: from.Name(), To: l.DNS().Node, Address: join(l.DNS().ClusterIP, 53),
			Query: first.Name, Expect: first.ClusterIP.String(),
		},
		agent.Target{
			Kind: evidence.ProbeEgress, From: from.Name(), To: l.Outside().Name(), Address: join(l.Outside().Address, lab.PodPort),
			Expect: l.Outside().Name(),
		})
}

func podTarget(from, to lab.Node) agent.Target {
	return agent.Target{
		Kind: evidence.ProbePod, From: from.Name(), To: to.Name(), Address: join(to.Pod.Address, lab.PodPort), Expect: to.Pod.Name(),
	}
}

func largeTarget(from, to lab.Node) agent.Target {
	t := podTarget(from, to)
	t.Kind = evidence.ProbeLarge
	return t
}

func nodePortTargets(l lab.Lab) []agent.Target {
	var targets []agent.Target
	for _, via := range l.Nodes() {
		for _, to := range l.Nodes() {
			targets = append(targets, agent.Target{
				Kind: evidence.ProbeNodePort, From: via.Name(), To: to.Name(),
				Address: join(via.Address, to.Pod.Service.NodePort), Expect: to.Pod.Name(),
			})
		}
	}
	return targets
}

func join(a netip.Addr, port int) string {
	return netip.AddrPortFrom(a, uint16(port)).String()
}

// From makes the probes of one client, which m is. Results are in the order of the targets.
func From(ctx context.Context, l lab.Lab, m machine.Machine, plan agent.Plan) ([]evidence.Probe, error) {
	in, err := json.Marshal(plan)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := m.Run(ctx, machine.Command{Argv: []string{l.Agent(), "probe"}, Stdin: bytes.NewReader(in), Stdout: &out}); err != nil {
		return nil, err
	}
	var results []evidence.Probe
	if err := json.Unmarshal(out.Bytes(), &results); err != nil {
		return nil, fmt.Errorf("%s: results: %w", m.Name(), err)
	}
	if len(results) != len(plan.Targets) {
		return nil, fmt.Errorf("%s: %d results for %d probes", m.Name(), len(results), len(plan.Targets))
	}
	return results, nil
}

// Failure says why a probe did not do what it must in a healthy cluster, or "": it must be answered, a pod must see the
// pod that calls it by its own address, and a host outside the cluster must see the address of the pod's node.
func Failure(l lab.Lab, p evidence.Probe) string {
	address := ""
	for _, n := range l.Nodes() {
		if n.Name() == p.From {
			address = n.Address.String()
		}
	}
	return FailureFrom(address, p)
}

// Name is what people call a probe, such as "pod n1 → n2".
func Name(p evidence.Probe) string { return p.Kind + " " + p.From + " → " + p.To }

// FailureFrom is Failure of a probe from a node with this address; where the address is not known, it is not asked for.
func FailureFrom(node string, p evidence.Probe) string {
	want := ""
	switch p.Kind {
	case evidence.ProbePod:
		want = p.Source
	case evidence.ProbeEgress:
		want = node
	}
	switch {
	case !p.OK:
		return p.Error
	case want != "" && p.Seen != want:
		return p.To + " sees " + p.Seen + ", not " + want
	}
	return ""
}

// AllPass returns an error that names the first probes with a Failure.
func AllPass(l lab.Lab, results []evidence.Probe) error {
	var failed []string
	for _, p := range results {
		if why := Failure(l, p); why != "" {
			failed = append(failed, p.Kind+" "+p.From+"→"+p.To+": "+why)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d probes failed: %s", len(failed), len(results), strings.Join(failed[:min(len(failed), 6)], "; ")+more(len(failed)-6))
	}
	return nil
}

// Healthy makes all probes of the lab and returns AllPass of them.
func Healthy(ctx context.Context, l lab.Lab) error {
	results, err := Run(ctx, l)
	if err != nil {
		return err
	}
	return AllPass(l, results)
}

// Retried counts the probes that needed more than one connection.
func Retried(results []evidence.Probe) int {
	n := 0
	for _, p := range results {
		if p.OK && p.Attempts > 1 {
			n++
		}
	}
	return n
}

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return "; and " + strconv.Itoa(n) + " more"
}
