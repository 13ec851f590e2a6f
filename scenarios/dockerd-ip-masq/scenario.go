// Package dockerdipmasq is incident 3: dockerd masquerades what leaves its bridge, and so hides every pod's address from
// the pods of other nodes.
package dockerdipmasq

import (
	"context"
	_ "embed"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/podsnat"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/probe"
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

// Scenario starts flanneld without --ip-masq, from which the rest follows as it did in the incident.
var Scenario = fault.Scenario{
	Name:     "dockerd-ip-masq",
	Summary:  "dockerd's --ip-masq hides the pods' addresses from other nodes",
	Writeup:  detectors.Writeup{English: english, Chinese: chinese},
	Training: detectors.Writeup{English: training, Chinese: trainingChinese},
	Detector: podsnat.Detector,
	Pods:     lab.DockerBridge,
	Inject:   inject,
	Restarts: true,
	MustFail: fault.And(fault.Kind(evidence.ProbePod), fault.Overlay),
	Show:     show,
	Want: func(l lab.Lab) []fault.Subject {
		var want []fault.Subject
		for _, n := range l.Nodes() {
			want = append(want, fault.Subject{Case: podsnat.Dockerd, Node: n.Name()})
		}
		return want
	},
	Alternatives: []string{podsnat.FlanneldMasquerades},
	Attempts: func(l lab.Lab) []fault.Attempt {
		if l.API() != nil {
			return attemptsOnKubernetes(l)
		}
		return []fault.Attempt{
			{
				Name:     "deleting dockerd's rule, and nothing else",
				Commands: everywhere(l, func(n lab.Node) []string { return deleteRule(l, n) }),
				// Now the pods see each other, and nothing outside the cluster can answer them: no rule hides an address any more.
				MustFail: fault.Kind(evidence.ProbeEgress),
				Want:     func(lab.Lab) []fault.Subject { return nil },
			},
			{
				Name:     "and when Docker starts again, its rule is back",
				Commands: everywhere(l, func(lab.Node) []string { return []string{"systemctl", "restart", "docker"} }),
			},
		}
	},
}

func everywhere(l lab.Lab, argv func(lab.Node) []string) []detectors.Command {
	var commands []detectors.Command
	for _, n := range l.Nodes() {
		commands = append(commands, detectors.Command{Node: n.Name(), Argv: argv(n)})
	}
	return commands
}

// rule is what dockerd writes for --ip-masq=true; the pods' bridge has the name of their attachment.
func rule(l lab.Lab, n lab.Node) []string {
	return []string{"POSTROUTING", "-s", n.PodCIDR.String(), "!", "-o", string(l.Pods()), "-j", "MASQUERADE"}
}

func deleteRule(l lab.Lab, n lab.Node) []string {
	return append([]string{"iptables", "-w", "-t", "nat", "-D"}, rule(l, n)...)
}

func inject(ctx context.Context, l lab.Lab, say func(string)) error {
	injectOn := throughFlannel
	switch {
	case l.API() != nil && l.Docker() == lab.DockerRecorded:
		injectOn = byRecordedRules
	case l.API() != nil:
		injectOn = byDockerd
	}
	nodes := l.Nodes()
	// Side by side, since a dockerd takes seconds to start; what is told of a node is told together.
	said := make([][]string, len(nodes))
	var group errgroup.Group
	for i, n := range nodes {
		group.Go(func() error {
			tell := func(line string) { said[i] = append(said[i], line) }
			if err := injectOn(ctx, l, n, tell); err != nil {
				return err
			}
			return tellRule(ctx, l, n, tell)
		})
	}
	err := group.Wait()
	for _, line := range slices.Concat(said...) {
		say(line)
	}
	return err
}

// tellRule tells the rule by which the node's dockerd masquerades, and fails if there is none.
func tellRule(ctx context.Context, l lab.Lab, n lab.Node, say func(string)) error {
	rules, err := natRules(ctx, n)
	if err != nil {
		return err
	}
	i := slices.Index(rules, "-A "+strings.Join(rule(l, n), " "))
	if i < 0 {
		return fmt.Errorf("%s has no rule for --ip-masq=true", n.Name())
	}
	who := l.Docker() + " writes"
	if l.Docker() == lab.DockerRecorded {
		who = lab.DockerRecorded + ", in the place of a dockerd, have"
	}
	say(who + ": " + rules[i])
	return nil
}

// throughFlannel begins where the incident began: with how flanneld is started.
func throughFlannel(ctx context.Context, _ lab.Lab, n lab.Node, say func(string)) error {
	steps := [][]string{
		{"sed", "-i", "s/--ip-masq//", "/etc/sysconfig/flanneld"},
		{"systemctl", "restart", "flanneld"},
	}
	for _, argv := range steps {
		if err := run(ctx, n, say, argv...); err != nil {
			return err
		}
	}
	if err := forgetMasquerade(ctx, n); err != nil {
		return err
	}
	say("the rules of the flanneld before are deleted: a node that starts like this never has them")
	options, err := machine.Output(ctx, n, "grep", "^DOCKER_NETWORK_OPTIONS", "/run/flannel/docker")
	if err != nil {
		return err
	}
	say("flannel's mk-docker-opts.sh writes for Docker: " + strings.TrimSpace(string(options)))
	return run(ctx, n, say, "systemctl", "restart", "docker")
}

func run(ctx context.Context, n lab.Node, say func(string), argv ...string) error {
	say(n.Name() + "# " + detectors.Command{Argv: argv}.String())
	_, err := machine.Output(ctx, n, argv...)
	return err
}

// natRules are the rules of POSTROUTING in the table nat, as iptables-save prints them.
func natRules(ctx context.Context, n lab.Node) ([]string, error) {
	out, err := machine.Output(ctx, n, "iptables-save", "-t", "nat")
	if err != nil {
		return nil, err
	}
	var rules []string
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "-A POSTROUTING ") {
			rules = append(rules, strings.TrimSpace(line))
		}
	}
	return rules, nil
}

// forgetMasquerade deletes the rules that flanneld's --ip-masq has left in POSTROUTING: flanneld does not do it when it
// starts without. Since v0.22 it is a jump to FLANNEL-POSTRTG, before that rules for the pod network
// (pkg/trafficmngr/iptables; network/iptables.go in v0.14).
func forgetMasquerade(ctx context.Context, n lab.Node) error {
	rules, err := natRules(ctx, n)
	if err != nil {
		return err
	}
	network := netip.PrefixFrom(n.Pod.Address, 16).Masked().String()
	for _, rule := range rules {
		argv := strings.Fields(strings.Replace(rule, "-A", "-D", 1))
		switch {
		case strings.HasSuffix(rule, "-j FLANNEL-POSTRTG"):
			argv = []string{"-D", "POSTROUTING", "-m", "comment", "--comment", "flanneld masq", "-j", "FLANNEL-POSTRTG"}
		case !strings.Contains(rule, network):
			continue
		}
		if _, err := machine.Output(ctx, n, append([]string{"iptables", "-w", "-t", "nat"}, argv...)...); err != nil {
			return err
		}
	}
	return nil
}

// show is what the incident's Keystone saw: the callers of the first node's pod, and how they look from there.
func show(l lab.Lab, results []evidence.Probe) []string {
	server := l.Nodes()[0]
	width := 0
	for _, n := range l.Nodes() {
		width = max(width, len(n.Pod.Name()), len(n.Client.Name()))
	}
	lines := []string{
		fmt.Sprintf("%s, an HTTP server on %s, writes down who calls it:", server.Pod.Name(), server.Name()),
		fmt.Sprintf("  %-*s  %-14s %s", width, "caller", "its address", "seen as"),
	}
	for _, p := range results {
		if p.Kind != evidence.ProbePod || p.To != server.Name() {
			continue
		}
		caller := "pod-" + p.From
		if p.From == p.To {
			caller = server.Client.Name()
		}
		lines = append(lines, fmt.Sprintf("  %-*s  %-14s %s", width, caller, p.Source, seenAs(l, p)))
	}
	for _, p := range results {
		if p.Kind == evidence.ProbeEgress && p.From == server.Name() {
			lines = append(lines, fmt.Sprintf("%s, outside the cluster, sees %s as %s", p.To, p.Source, orFailure(l, p)))
		}
	}
	return lines
}

// seenAs names flannel.1 where it is its address that was seen.
func seenAs(l lab.Lab, p evidence.Probe) string {
	for _, n := range l.Nodes() {
		if n.Name() == p.From && n.VTEP().String() == p.Seen {
			return fmt.Sprintf("%s  (flannel.1 of %s)", p.Seen, p.From)
		}
	}
	return p.Seen
}

func orFailure(l lab.Lab, p evidence.Probe) string {
	if why := probe.Failure(l, p); why != "" {
		return why
	}
	return p.Seen + ", the node"
}
