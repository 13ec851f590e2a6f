// Package noise adds what is odd and harmless to a lab with a fault in force: what machines collect over the years, and what somebody
// in search of a fault must tell from it. No probe fails for it, and no detector may report it.
package noise

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lock"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/undo"
)

// Oddity is one thing that is odd on a node.
type Oddity struct {
	// About says what it is, and Alarm what a monitoring system would make of it; empty for most.
	About, Alarm string
	// Commands bring it about.
	Commands []detectors.Command
}

// kind makes an oddity on a node.
type kind func(random *rand.Rand, n lab.Node) Oddity

// kinds are all that there are. Only the first raises an alarm.
var kinds = []kind{leftBridge, orphanForwarding, orphanNeighbour, closedDoor, oldRoute, oldMasquerade}

// Of are the oddities that follow from a seed: an alarm that is none, and two to four things more, each on a node of its own choice.
func Of(seed uint64, l lab.Lab) []Oddity {
	random := rand.New(rand.NewPCG(seed, 0x6e6f697365)) // "noise": other things that follow from the seed are not drawn alike
	// By name, since the parts that nodes play follow from the seed, too, and are nobody's business here.
	nodes := slices.SortedFunc(slices.Values(l.Nodes()), func(a, b lab.Node) int { return a.Address.Compare(b.Address) })
	place := func() lab.Node { return nodes[random.IntN(len(nodes))] }
	all := []Oddity{kinds[0](random, place())}
	for _, k := range random.Perm(len(kinds) - 1)[:2+random.IntN(3)] {
		all = append(all, kinds[1+k](random, place()))
	}
	return all
}

// Add brings about the oddities of a seed. A fault must be in force: what undoes that undoes these, since all that was not there before
// it goes.
func Add(ctx context.Context, l *lock.Held, seed uint64) ([]Oddity, error) {
	if err := l.Check(); err != nil {
		return nil, err
	}
	if _, err := undo.Read(l); err != nil {
		return nil, fmt.Errorf("noise goes with a fault: %w", err)
	}
	all := Of(seed, l)
	for _, o := range all {
		for _, c := range o.Commands {
			i := slices.IndexFunc(l.Nodes(), func(n lab.Node) bool { return n.Name() == c.Node })
			if _, err := machine.Output(ctx, l.Nodes()[i], c.Argv...); err != nil {
				return nil, fmt.Errorf("noise: %s: %w", o.About, err)
			}
		}
	}
	return all, nil
}

func oddity(n lab.Node, about string, commands ...[]string) Oddity {
	o := Oddity{About: n.Name() + ": " + about}
	for _, argv := range commands {
		o.Commands = append(o.Commands, detectors.Command{Node: n.Name(), Argv: argv})
	}
	return o
}

// leftBridge is what a container engine's network leaves when its engine is taken away.
func leftBridge(random *rand.Rand, n lab.Node) Oddity {
	name := fmt.Sprintf("br-%012x", random.Uint64()&(1<<48-1))
	o := oddity(n, "a bridge without ports, "+name, []string{"ip", "link", "add", name, "type", "bridge"})
	o.Alarm = fmt.Sprintf("WARNING %s: interface %s is DOWN", n.Name(), name)
	return o
}

// orphanForwarding leads to a node that has gone, and whose subnet nobody has any more.
func orphanForwarding(random *rand.Rand, n lab.Node) Oddity {
	gone := nobody(random, n)
	return oddity(n, "a forwarding entry of flannel.1 for a node that has gone, "+gone.String(),
		[]string{"bridge", "fdb", "append", mac(random), "dev", "flannel.1", "dst", gone.String(), "self", "permanent"})
}

// orphanNeighbour is of a machine that has gone.
func orphanNeighbour(random *rand.Rand, n lab.Node) Oddity {
	gone := nobody(random, n)
	return oddity(n, "a permanent neighbour that has gone, "+gone.String(),
		[]string{"ip", "neigh", "replace", gone.String(), "lladdr", mac(random), "dev", "eth0", "nud", "permanent"})
}

// closedDoor keeps out a sender that was a nuisance once.
func closedDoor(random *rand.Rand, n lab.Node) Oddity {
	sender := foreign(random)
	return oddity(n, "a rule that drops what comes from "+sender.String(),
		[]string{"iptables", "-w", "-A", "INPUT", "-s", sender.String(), "-j", "DROP"})
}

// oldRoute is for a network that was here.
func oldRoute(random *rand.Rand, n lab.Node) Oddity {
	to := foreign(random)
	return oddity(n, "a route that leads nowhere, to "+to.String(), []string{"ip", "route", "replace", "blackhole", to.String()})
}

// oldMasquerade is for senders that are not here any more.
func oldMasquerade(random *rand.Rand, n lab.Node) Oddity {
	from := foreign(random)
	return oddity(n, "a masquerade rule for "+from.String(),
		[]string{"iptables", "-w", "-t", "nat", "-A", "POSTROUTING", "-s", from.String(), "-o", "eth0", "-j", "MASQUERADE"})
}

// foreign is a network of TEST-NET-3, which nobody has (RFC 5737).
func foreign(random *rand.Rand) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(random.IntN(32)) << 3}), 29)
}

// nobody is an address of the node's underlay that no machine has: they begin at its other end.
func nobody(random *rand.Rand, n lab.Node) netip.Addr {
	b := n.Address.As4()
	b[3] = byte(220 + random.IntN(30))
	return netip.AddrFrom4(b)
}

// mac is a locally administered address, as flannel's VTEPs have it.
func mac(random *rand.Rand) string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", random.IntN(64)<<2|2, random.IntN(256), random.IntN(256), random.IntN(256), random.IntN(256), random.IntN(256))
}
