package netns

import (
	"context"
	"fmt"
	"slices"

	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/wait"
)

// part is a service that the lab needs: its name on its machine, and what is missing when it does not run.
type part struct{ service, missing string }

// parts are those of a node. flanneld is none: faults end it.
func (l *Lab) parts(n *node) []part {
	server := func(k podKind) part { return part{k.service(), "no probe server in " + n.pod(k).name} }
	parts := []part{server(probePod), server(clientPod)}
	if n.index == 0 {
		parts = append(parts, part{"etcd", "no etcd on " + n.name}, part{dnsPod.service(), "no CoreDNS in " + n.pod(dnsPod).name})
	}
	if l.record.Pods == lab.DockerBridge && l.record.Docker != lab.DockerRecorded {
		parts = append(parts, part{dockerService, "no dockerd on " + n.name})
	}
	return parts
}

// Broken lists what does not run though the lab needs it. `systemctl start NAME` on the machine starts it again.
func (l *Lab) Broken(ctx context.Context) ([]string, error) {
	ctx, cancel := wait.Patience(ctx, answerLimit)
	defer cancel()
	broken, err := missing(ctx, l.outside.Machine.(*place), []part{{outsideService, "no probe server on " + outsideName}})
	if err != nil {
		return nil, err
	}
	for _, n := range l.nodes {
		more, err := missing(ctx, n.place, l.parts(n))
		if err != nil {
			return nil, err
		}
		broken = append(broken, more...)
	}
	return broken, nil
}

func missing(ctx context.Context, p *place, parts []part) ([]string, error) {
	services, err := p.client().Services(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	var broken []string
	for _, want := range parts {
		runs := func(s agent.Status) bool { return s.Name == want.service && s.Running }
		if !slices.ContainsFunc(services, runs) {
			broken = append(broken, want.missing)
		}
	}
	return broken, nil
}
