// Package twrecycle is incident 2: tcp_tw_recycle drops the connections of all but one of the clients that NAT gives one
// address.
package twrecycle

import (
	"context"
	_ "embed"
	"strconv"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/twrecycle"
	"github.com/netfault/netfault/framework/drops"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
	recycle "github.com/netfault/netfault/framework/twrecycle"
)

var (
	//go:embed README.md
	english string
	//go:embed README.zh.md
	chinese string
	//go:embed training.md
	training string
	//go:embed training.zh.md
	trainingChinese string
)

// The first timestamps of the two clients, as in the incident.
const (
	newerClock = 621677338
	olderClock = 613760700
)

// Scenario gives two clients clocks that differ and switches the setting on. The server is the second pod of the first
// node, behind a NodePort; the clients are the second pods of the other two nodes, outside the server's.
var Scenario = fault.Scenario{
	Name:     "tw-recycle",
	Summary:  "tcp_tw_recycle drops clients that NAT gives one address",
	Writeup:  detectors.Writeup{English: english, Chinese: chinese},
	Training: detectors.Writeup{English: training, Chinese: trainingChinese},
	Detector: twrecycle.Detector,
	Pods:     lab.Routed,
	Inject: func(ctx context.Context, l lab.Lab, say func(string)) error {
		// The clocks first: what a server remembered of another one, such as the kubelet's for its readiness probes, would have
		// it drop that client for a minute, too.
		if err := Skew(ctx, l, say); err != nil {
			return err
		}
		return SwitchOn(ctx, l, say)
	},
	Exercise: func(ctx context.Context, l lab.Lab) (fault.Seen, error) {
		s := server(l)
		return Exercise(ctx, l, target(s.Address, s.Client.Service.NodePort))
	},
	Deaths: func(l lab.Lab) []fault.Death {
		return []fault.Death{{Machine: server(l).Client.Name(), Class: drops.TrafficControl}}
	},
	Unavailable: func(l lab.Lab) string {
		if len(l.Nodes()) < 3 {
			return "it needs three nodes: one for the server and two for its clients"
		}
		if l.API() != nil {
			return "" // the nodes' processes are the container engine's, which may have other rights than this one
		}
		if err := recycle.Permitted(); err != nil {
			return "it is emulated with BPF programs, and " + err.Error()
		}
		return ""
	},
	Want: func(l lab.Lab) []fault.Subject {
		return []fault.Subject{{Case: twrecycle.Behaviour, Node: server(l).Name()}}
	},
}

func everyMachine(l lab.Lab) []machine.Machine {
	all := []machine.Machine{l.Outside()}
	for _, n := range l.Nodes() {
		all = append(all, n, n.Pod, n.Client)
	}
	return all
}

func server(l lab.Lab) lab.Node { return l.Nodes()[0] }

// newer and older are the clients, by their clocks.
func newer(l lab.Lab) lab.Node { return l.Nodes()[1] }
func older(l lab.Lab) lab.Node { return l.Nodes()[2] }

// SwitchOn switches the setting on, on the server's node.
func SwitchOn(ctx context.Context, l lab.Lab, say func(string)) error {
	argv := []string{"sysctl", "-w", "net.ipv4.tcp_tw_recycle=1"}
	say(server(l).Name() + "# " + detectors.Command{Argv: argv}.String())
	if _, err := machine.Output(ctx, server(l), argv...); err != nil {
		return err
	}
	source, err := recycle.Describe()
	if err == nil {
		say("the setting is " + source)
	}
	return err
}

// OneClock gives every machine one clock for all its connections: today's kernels draw a random offset for each, which the
// setting cannot live with, and those of that time did not.
func OneClock(ctx context.Context, l lab.Lab, say func(string)) error {
	say("net.ipv4.tcp_timestamps=2 everywhere: one clock for each machine, as in kernels that have the setting")
	for _, m := range everyMachine(l) {
		if _, err := machine.Output(ctx, m, "sysctl", "-q", "-w", "net.ipv4.tcp_timestamps=2"); err != nil {
			return err
		}
	}
	return nil
}

// Skew gives the two clients clocks that differ as those of the incident. All others have the machine's.
func Skew(ctx context.Context, l lab.Lab, say func(string)) error {
	if err := OneClock(ctx, l, say); err != nil {
		return err
	}
	for _, c := range []struct {
		client lab.Node
		first  uint64
	}{{newer(l), newerClock}, {older(l), olderClock}} {
		pod := c.client.Client
		first := strconv.FormatUint(c.first, 10)
		say(pod.Name() + "'s first SYN will carry the timestamp " + first)
		if _, err := machine.Output(ctx, pod, l.Agent(), "skew", "--first="+first); err != nil {
			return err
		}
	}
	return nil
}
