package fault

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/drops"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/probe"
)

// Death is a place where packets of a fault die.
type Death struct {
	// Machine is the node or pod in whose network namespace the kernel drops them.
	Machine string `json:"machine"`
	// Class is the kind of reason.
	Class drops.Class `json:"class"`
}

// Elsewhere, among the places that a scenario declares, is beyond the lab: some packets may leave it, and nobody sees them die.
var Elsewhere = Death{}

// Anywhere, among them, is a state that somebody has set by hand: where packets die follows from what was set, and nobody has to say
// it. A fault says it.
var Anywhere = Death{Machine: "*"}

func (d Death) String() string {
	if d == Elsewhere {
		return "what is beyond the lab"
	}
	return d.Machine + " (" + string(d.Class) + ")"
}

// Lost is a connection that was not answered: its two ends, as nodes or the host outside.
type Lost struct {
	From string `json:"from"`
	To   string `json:"to"`
	// What is for people, such as "pod n1 → n2".
	What string `json:"what"`
	// Behind is the node whose address NAT gives to what comes from From; empty where there is no NAT.
	Behind string `json:"behind,omitempty"`
	// Ports are those of the server, as a packet may have them on its way.
	Ports []uint16 `json:"-"`
}

// Deaths are where the kernel dropped packets of the connections that were lost, as it told itself.
type Deaths struct {
	// NotMeasured says why that could not be seen; empty where it was.
	NotMeasured string `json:"notMeasured,omitempty"`
	// Drops are sorted by machine and interface.
	Drops []DropsOf `json:"drops,omitempty"`
}

// DropsOf are packets that were dropped at one place, for one reason, on their way from one node to another.
type DropsOf struct {
	Death
	// Interface is where in the machine; empty for packets that had none.
	Interface string `json:"interface,omitempty"`
	// Reason is the kernel's own name of it.
	Reason string `json:"reason"`
	// From and To are the nodes of the packets' own source and destination: those of answers come from the server's.
	From    string `json:"from"`
	To      string `json:"to"`
	Packets int    `json:"packets"`
	// Lost are the connections that they can have belonged to.
	Lost []string `json:"lost"`
}

// Place is where packets died, for people.
func (d DropsOf) Place() string {
	if d.Interface == "" {
		return d.Machine
	}
	return d.Machine + " at " + d.Interface
}

// String is a line for people.
func (d DropsOf) String() string {
	return fmt.Sprintf("the kernel of %s drops what comes from %s to %s: %s (%s), %d packets", d.Place(), d.From, d.To, d.Class, d.Reason, d.Packets)
}

// lostProbes are the probes that nobody answered. Those that were answered in a wrong way have lost nothing.
func lostProbes(l lab.Lab, results []evidence.Probe) []Lost {
	var all []Lost
	for _, p := range results {
		if p.OK || p.Untried || probe.Failure(l, p) == "" {
			continue
		}
		lost := Lost{From: p.From, To: p.To, What: probe.Name(p), Ports: []uint16{lab.PodPort}}
		if p.Kind == evidence.ProbeNodePort && p.From == p.To {
			lost.From = l.Outside().Name()
		}
		if target, err := netip.ParseAddrPort(p.Target); err == nil {
			lost.Ports = append(lost.Ports, target.Port())
		}
		all = append(all, lost)
	}
	return all
}

// deathsOf sorts out of all drops those of the connections that were lost.
func deathsOf(l lab.Lab, seen []dropped, lost []Lost) Deaths {
	var d Deaths
	for _, s := range seen {
		var from, to string
		var of []string
		for _, c := range lost {
			if a, b, owns := c.owns(l, s.Packet); owns {
				from, to, of = a, b, append(of, c.What)
			}
		}
		if len(of) == 0 || drops.ClassOf(s.Reason) == drops.Ended {
			continue
		}
		one := DropsOf{
			Death: Death{s.machine, drops.ClassOf(s.Reason)}, Interface: s.Interface, Reason: s.Reason, From: from, To: to, Packets: 1, Lost: of,
		}
		i := slices.IndexFunc(d.Drops, func(o DropsOf) bool {
			return o.Death == one.Death && o.Interface == one.Interface && o.Reason == one.Reason && o.From == from && o.To == to
		})
		if i < 0 {
			d.Drops = append(d.Drops, one)
			continue
		}
		d.Drops[i].Packets++
		d.Drops[i].Lost = slices.Compact(slices.Sorted(slices.Values(append(d.Drops[i].Lost, of...))))
	}
	slices.SortFunc(d.Drops, func(a, b DropsOf) int {
		return cmp.Or(cmp.Compare(a.Machine, b.Machine), cmp.Compare(a.Interface, b.Interface), cmp.Compare(a.Reason, b.Reason),
			cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return d
}

// owns says that a packet can have been one of the connection's, and from which of its ends to which other it went.
func (c Lost) owns(l lab.Lab, p drops.Packet) (from, to string, owns bool) {
	if p.Protocol != unix.IPPROTO_TCP && p.Protocol != unix.IPPROTO_UDP {
		return "", "", false
	}
	source, destination := nodeOf(l, p.Source.Addr()), nodeOf(l, p.Destination.Addr())
	client := cmp.Or(c.Behind, c.From)
	switch {
	case source == client && destination == c.To && slices.Contains(c.Ports, p.Destination.Port()):
		return c.From, c.To, true
	case source == c.To && destination == client && slices.Contains(c.Ports, p.Source.Port()):
		return c.To, c.From, true
	}
	return "", "", false
}

// nodeOf is the node, or the host outside, that an address belongs to: its own, its pods', or that of a Service of them.
func nodeOf(l lab.Lab, a netip.Addr) string {
	for _, n := range l.Nodes() {
		if a == n.Address || n.PodCIDR.Contains(a) || a == n.Pod.Service.ClusterIP || a == n.Client.Service.ClusterIP {
			return n.Name()
		}
	}
	switch a {
	case l.Outside().Address:
		return l.Outside().Name()
	case l.DNS().ClusterIP:
		return l.DNS().Node
	}
	return ""
}

// agree returns an error unless packets of every lost connection were seen to die, at the places that the scenario declares, and at
// no other. A drop of which the kernel does not say why proves neither.
func (d Deaths) agree(want []Death, lost []Lost) error {
	if slices.Contains(want, Anywhere) {
		return nil
	}
	var problems []string
	for _, s := range d.Drops {
		if s.Class != drops.Unnamed && !slices.Contains(want, s.Death) {
			problems = append(problems, s.String())
		}
	}
	for _, w := range want {
		if w != Elsewhere && !slices.ContainsFunc(d.Drops, func(s DropsOf) bool { return s.Death == w }) {
			problems = append(problems, "nothing dies on "+w.String())
		}
	}
	for _, c := range lost {
		if slices.Contains(want, Elsewhere) {
			break
		}
		if !slices.ContainsFunc(d.Drops, func(s DropsOf) bool { return s.Class != drops.Unnamed && slices.Contains(s.Lost, c.What) }) {
			problems = append(problems, "no packet of "+c.What+" was seen to be dropped")
		}
	}
	if len(problems) == 0 {
		return nil
	}
	declared := "nowhere"
	if len(want) > 0 {
		var places []string
		for _, w := range want {
			places = append(places, w.String())
		}
		declared = "on " + strings.Join(places, ", ")
	}
	shown := strings.Join(problems[:min(len(problems), 6)], "; ")
	return fmt.Errorf("packets must die %s, as the scenario declares, but: %s", declared, shown)
}

// notMeasured is the reason why drops cannot be seen, or "" if err is another error.
func notMeasured(err error) string {
	if !errors.Is(err, drops.ErrUnmeasurable) {
		return ""
	}
	return strings.TrimPrefix(err.Error(), drops.ErrUnmeasurable.Error()+": ")
}
