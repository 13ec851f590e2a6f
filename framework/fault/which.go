package fault

import (
	"slices"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/lab"
)

// Which are the probes that a fault breaks. Scenarios put them together from the words of this file.
type Which func(l lab.Lab, p evidence.Probe) bool

// NodeOf picks a node of a lab, such as the one that plays the client.
type NodeOf func(lab.Lab) lab.Node

// Nth is the node with that place among the lab's, from 0.
func Nth(i int) NodeOf { return func(l lab.Lab) lab.Node { return l.Nodes()[i] } }

// Overlay are the probes whose packets flannel carries from node to node, there or back: those of pods, Services, NodePorts and
// DNS with two ends.
func Overlay(_ lab.Lab, p evidence.Probe) bool {
	return p.Kind != evidence.ProbeEgress && p.From != p.To
}

// Between are those of Overlay between two nodes, in either direction.
func Between(a, b NodeOf) Which {
	return func(l lab.Lab, p evidence.Probe) bool {
		x, y := a(l).Name(), b(l).Name()
		return Overlay(l, p) && (p.From == x && p.To == y || p.From == y && p.To == x)
	}
}

// Crossing are those of Overlay between a node and any other.
func Crossing(n NodeOf) Which {
	return func(l lab.Lab, p evidence.Probe) bool {
		name := n(l).Name()
		return Overlay(l, p) && (p.From == name || p.To == name)
	}
}

// Kind are the probes of some kinds.
func Kind(kinds ...string) Which {
	return func(_ lab.Lab, p evidence.Probe) bool { return slices.Contains(kinds, p.Kind) }
}

// From are the probes that come from a node, and To those that go to it.
func From(n NodeOf) Which {
	return func(l lab.Lab, p evidence.Probe) bool { return p.From == n(l).Name() }
}

// To are the probes that go to a node.
func To(n NodeOf) Which { return func(l lab.Lab, p evidence.Probe) bool { return p.To == n(l).Name() } }

// And are the probes that are all of these.
func And(all ...Which) Which {
	return func(l lab.Lab, p evidence.Probe) bool {
		return !slices.ContainsFunc(all, func(w Which) bool { return !w(l, p) })
	}
}
