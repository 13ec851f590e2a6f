// Package vtepleasedrift is the variant of incident 1 in which the lease is stale, and not the observers.
package vtepleasedrift

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/semver"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/stalevtep"
	"github.com/netfault/netfault/framework/drops"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/wait"
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

// recreatesSince is the first flannel that makes a deleted flannel.1 again (vxlan_network.go, reCreateVxlan).
const recreatesSince = "v0.27.4"

// recreateLimit is how long flanneld may take to notice; it backs off from one second when it fails at first.
const recreateLimit = 20 * time.Second

// Scenario deletes flannel.1 under a running flanneld, which makes a new one with a new MAC and leaves the lease.
var Scenario = fault.Scenario{
	Name:     "vtep-lease-drift",
	Summary:  "a node's flannel.1 has a MAC that its lease does not announce",
	Writeup:  detectors.Writeup{English: english, Chinese: chinese},
	Training: detectors.Writeup{English: training, Chinese: trainingChinese},
	Detector: stalevtep.Detector,
	Unavailable: func(l lab.Lab) string {
		if v := l.Flannel().Version(); semver.Compare(v, recreatesSince) < 0 {
			return fmt.Sprintf("%s does not make a deleted flannel.1 again; flannel %s and newer do", l.Flannel(), recreatesSince)
		}
		return ""
	},
	Inject:   inject,
	MustFail: fault.Crossing(drifted),
	Deaths:   deaths,
	Want: func(l lab.Lab) []fault.Subject {
		return []fault.Subject{{Case: "lease-stale", Node: drifted(l).Name()}}
	},
	EndsWithRestart: true,
	Attempts: func(l lab.Lab) []fault.Attempt {
		restart := fault.RestartFlanneld(l, l.Nodes()[0], "it reads the lease again, which is as stale as before")
		return []fault.Attempt{{Name: "a restart of flanneld on an observer", Commands: []detectors.Command{restart}}}
	},
}

// drifted is the node that loses its flannel.1.
func drifted(l lab.Lab) lab.Node { return l.Nodes()[1] }

// deaths are two places: what others send dies where it arrives, for its old address; and what the node sends itself takes its
// default route, since the routes to the other nodes' pods were lost with flannel.1.
func deaths(l lab.Lab) []fault.Death {
	arriving := fault.Death{Machine: drifted(l).Name(), Class: drops.WrongLinkAddress}
	if l.API() != nil {
		return []fault.Death{arriving, fault.Elsewhere} // the default route of kind's nodes leads out of the lab
	}
	return []fault.Death{arriving, {Machine: l.Outside().Name(), Class: drops.NoRoute}}
}

func inject(ctx context.Context, l lab.Lab, say func(string)) error {
	node := drifted(l)
	before, err := vtepMAC(ctx, node)
	if err != nil {
		return err
	}
	// Where leases are annotations, flannel v0.24.1 and newer look up the old address there, and do not find it while the
	// node has lost the API.
	if l.API() != nil {
		say(node.Name() + " loses the API")
		if err := apiRule(ctx, l, "-I"); err != nil {
			return err
		}
	}
	say(node.Name() + "# ip link del flannel.1   (flanneld runs)")
	if _, err := machine.Output(ctx, node, "ip", "link", "del", "flannel.1"); err != nil {
		return err
	}
	var after string
	err = wait.Until(ctx, recreateLimit, "flanneld to make flannel.1 again", func(ctx context.Context) error {
		after, err = vtepMAC(ctx, node)
		if err == nil && after == before {
			return fmt.Errorf("it still has %s", before)
		}
		return err
	})
	if err != nil {
		return err
	}
	say(fmt.Sprintf("flanneld made a new one: %s, was %s", after, before))
	if l.API() != nil {
		say(node.Name() + " has the API again")
		return apiRule(ctx, l, "-D")
	}
	return nil
}

// apiRule adds or deletes the rule by which the drifted node does not reach the API.
func apiRule(ctx context.Context, l lab.Lab, verb string) error {
	i := slices.IndexFunc(l.Nodes(), func(n lab.Node) bool { return n.Name() == l.API().Name() })
	api := l.Nodes()[i].Address.String()
	_, err := machine.Output(ctx, drifted(l), "iptables", "-w", verb, "OUTPUT", "-p", "tcp", "-d", api, "--dport", "6443",
		"-j", "REJECT", "--reject-with", "tcp-reset")
	return err
}

func vtepMAC(ctx context.Context, node lab.Node) (string, error) {
	out, err := machine.Output(ctx, node, "ip", "-j", "link", "show", "dev", "flannel.1")
	if err != nil {
		return "", err
	}
	var links []evidence.Link
	if err := json.Unmarshal(out, &links); err != nil {
		return "", fmt.Errorf("%s: ip -j link: %w", node.Name(), err)
	}
	if len(links) != 1 {
		return "", fmt.Errorf("%s: ip -j link shows %d links", node.Name(), len(links))
	}
	return links[0].Address, nil
}
