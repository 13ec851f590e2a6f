package scenarios_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"

	staledetector "github.com/netfault/netfault/detectors/stalevtep"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
	stalevtep "github.com/netfault/netfault/scenarios/stale-vtep"
)

var _ = casesOf(staledetector.Detector,
	setCase{
		"forwarding entry missing", fault.Subject{Case: staledetector.FDBMissing, Node: "n2", Peer: "n1"},
		stalevtep.Scenario.MustFail, commands(1, "bridge fdb del %MAC dev flannel.1 dst %IP self"),
	},
	setCase{
		"forwarding entry elsewhere", fault.Subject{Case: staledetector.FDBElsewhere, Node: "n2", Peer: "n1"},
		stalevtep.Scenario.MustFail, commands(1, "bridge fdb replace %MAC dev flannel.1 dst 192.168.100.13 self permanent"),
	},
	setCase{
		"neighbour missing", fault.Subject{Case: staledetector.NeighbourMissing, Node: "n2", Peer: "n1"},
		stalevtep.Scenario.MustFail, commands(1, "ip neigh del 10.244.1.0 dev flannel.1"),
	},
	setCase{
		"route missing", fault.Subject{Case: staledetector.RouteMissing, Node: "n2", Peer: "n1"},
		stalevtep.Scenario.MustFail, commands(1, "ip route del 10.244.1.0/24"),
	},
	setCase{
		"flannel.1 down", fault.Subject{Case: staledetector.VTEPDown, Node: "n1"},
		withNode1, commands(0, "ip link set dev flannel.1 down"),
	},
	setCase{
		"flannel.1 down for a moment", fault.Subject{Case: staledetector.VTEPFlushed, Node: "n2"},
		withNode2, commands(1, "ip link set dev flannel.1 down", "ip link set dev flannel.1 up"),
	},
	setCase{
		"flannel.1's address taken away", fault.Subject{Case: staledetector.VTEPFlushed, Node: "n2"},
		withNode2, commands(1, "ip addr flush dev flannel.1"),
	},
	setCase{
		"flannel.1 down for a moment, neighbours written by hand", fault.Subject{Case: staledetector.VTEPFlushed, Node: "n2"},
		withNode2, commands(1, "ip link set dev flannel.1 down", "ip link set dev flannel.1 up",
			"ip neigh replace 10.244.1.0 lladdr %MAC dev flannel.1 nud permanent"),
	},
	// Machines cloned with one /etc/machine-id: systemd gives flannel.1 the same address on both (MACAddressPolicy=persistent). The
	// third node's FDB has the MAC of the one that announced it last, and either of the two drops what comes from its own address.
	setCase{
		"two nodes with one VTEP MAC", fault.Subject{Case: staledetector.LeaseShared, Node: "n1", Peer: "n2"},
		withNode1, commands(1, "ip link set dev flannel.1 address %MAC", "systemctl restart flanneld"),
	},
	setCase{
		"flannel.1 missing", fault.Subject{Case: staledetector.VTEPMissing, Node: "n1"},
		withNode1, func(ctx context.Context, l lab.Lab) error {
			if err := l.Flannel().Delete(ctx); err != nil {
				return err
			}
			if err := commands(0, "ip link del dev flannel.1")(ctx, l); err != nil {
				return err
			}
			return l.Flannel().Create(ctx, "n2", "n3")
		},
	},
)

// The one case of leases that a kind cluster has as well, where they are annotations.
var _ = func() bool {
	const name = "lease deleted"
	setByHand = append(setByHand, staledetector.Detector.Name+"/"+staledetector.LeaseMissing)
	return Describe("case of stale-vtep", Label("cases", anyLab, staledetector.LeaseMissing), func() {
		It(name+" heals by its remedy", func(ctx context.Context) {
			second := theLab.Nodes()[1].Name()
			liveThrough(ctx, setCase{
				name, fault.Subject{Case: staledetector.LeaseMissing, Node: second}, withNode2,
				func(ctx context.Context, l lab.Lab) error { return loseLease(ctx, l, second) },
			}.scenario(staledetector.Detector))
		})
	})
}()

// loseLease takes a node's lease away. With etcd the other nodes hear of that at once; where leases are annotations, when they
// have lost what they had, as by a reboot.
func loseLease(ctx context.Context, l lab.Lab, name string) error {
	flannel := l.Flannel().(interface { // both kinds of labs have it
		DropLease(ctx context.Context, node string) error
	})
	if err := flannel.DropLease(ctx, name); err != nil || l.API() == nil {
		return err
	}
	var others []string
	for _, n := range l.Nodes() {
		if n.Name() == name {
			continue
		}
		others = append(others, n.Name())
		if _, err := machine.Output(ctx, n, "ip", "link", "del", "dev", "flannel.1"); err != nil {
			return err
		}
		if _, err := machine.Output(ctx, l.API(), fault.RestartFlanneld(l, n, "").Argv...); err != nil {
			return err
		}
	}
	return l.Flannel().Create(ctx, others...)
}

// withNode1 and withNode2 pick the probes between that node and the others.
var withNode1, withNode2 = fault.Crossing(fault.Nth(0)), fault.Crossing(fault.Nth(1))
