package stalearp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/probe"
)

// connections is how many the client opens at once.
const connections = 3

// exercise has the incident's client connect to its MySQL server, whose part the server's pod plays, and says what the client's
// flannel.1 dropped meanwhile.
func exercise(ctx context.Context, l lab.Lab) (fault.Seen, error) {
	from, to := client(l), server(l)
	before, err := otherHost(ctx, from)
	if err != nil {
		return fault.Seen{}, err
	}
	target := agent.Target{
		Kind: evidence.ProbePod, From: from.Name(), To: to.Name(), Expect: to.Pod.Name(),
		Address: netip.AddrPortFrom(to.Pod.Address, lab.PodPort).String(),
	}
	var plan agent.Plan
	for range connections {
		plan.Targets = append(plan.Targets, target)
	}
	results, err := probe.From(ctx, l, from.Client.Machine, plan)
	if err != nil {
		return fault.Seen{}, err
	}
	after, err := otherHost(ctx, from)
	if err != nil {
		return fault.Seen{}, err
	}
	var seen fault.Seen
	for _, p := range results {
		if !p.OK {
			seen.Broken = append(seen.Broken, fmt.Sprintf("%s (%s) → %s, for the MySQL server: %s", from.Client.Name(), from.Client.Address, to.Pod.Name(), p.Error))
		}
	}
	if len(seen.Broken) > 0 {
		seen.Lost = []fault.Lost{{From: from.Name(), To: to.Name(), What: from.Client.Name() + " → " + to.Pod.Name(), Ports: []uint16{lab.PodPort}}}
	}
	seen.Lines = []string{
		fmt.Sprintf("%s, the client, opens %d connections to %s, which stands for the MySQL server: %d are not answered",
			from.Client.Name(), connections, to.Pod.Name(), len(seen.Broken)),
		fmt.Sprintf("%s's flannel.1 drops %d frames for another address meanwhile (otherhost)", from.Name(), after-before),
	}
	return seen, nil
}

// otherHost counts the frames that a node's flannel.1 dropped since they were for another address.
func otherHost(ctx context.Context, n lab.Node) (uint64, error) {
	out, err := machine.Output(ctx, n, "ip", "-j", "-s", "-s", "link", "show", "dev", "flannel.1")
	if err != nil {
		return 0, err
	}
	var links []evidence.Link
	if err := json.Unmarshal(out, &links); err != nil {
		return 0, fmt.Errorf("%s: ip -j link: %w", n.Name(), err)
	}
	if len(links) != 1 || links[0].Stats == nil {
		return 0, fmt.Errorf("%s: ip -j link shows no counters of flannel.1", n.Name())
	}
	return links[0].Stats.RX.OtherHost, nil
}
