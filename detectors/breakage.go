package detectors

import (
	"slices"

	"github.com/netfault/netfault/detectors/evidence"
)

// Effect is what becomes of a connection.
type Effect string

const (
	// Lost means that there is no answer.
	Lost Effect = "lost"
	// Changed means that there is one, but that the server sees another source address than the client's.
	Changed Effect = "changed"
)

// AnyOther stands in a Breakage for every node but the one at its other end.
const AnyOther = "*"

// Breakage says which connections are broken, in the terms of cluster/probes.json.
type Breakage struct {
	// Kinds are kinds of probes: pod, service, nodeport, dns, egress, large.
	Kinds  []string `json:"kinds"`
	Effect Effect   `json:"effect"`
	// From and To are nodes, or AnyOther; for egress, To is the host outside.
	From string `json:"from"`
	To   string `json:"to"`
}

// overlay are the kinds of probes whose packets flannel carries from node to node.
var overlay = []string{evidence.ProbePod, evidence.ProbeService, evidence.ProbeNodePort, evidence.ProbeDNS, evidence.ProbeLarge}

// LostBetween are the connections that fail when packets from one node's pods to another's are lost: those of either
// direction, as answers are packets too.
func LostBetween(a, b string) []Breakage {
	return []Breakage{{overlay, Lost, a, b}, {overlay, Lost, b, a}}
}

// LostAround are the connections that fail when a node's pods and those of all other nodes do not reach each other.
func LostAround(node string) []Breakage { return LostBetween(node, AnyOther) }

// covers reports whether all that o names is broken where b is.
func (b Breakage) covers(o Breakage) bool {
	end := func(mine, its, itsOther string) bool {
		return mine == its || mine == AnyOther && its != itsOther
	}
	for _, k := range o.Kinds {
		if !slices.Contains(b.Kinds, k) {
			return false
		}
	}
	return b.Effect == o.Effect && end(b.From, o.From, o.To) && end(b.To, o.To, o.From)
}

// breaks reports whether what o saw broken is what f breaks.
func (f *Finding) breaks(o *Finding) bool {
	if len(o.Breaks) == 0 {
		return false
	}
	for _, seen := range o.Breaks {
		if !slices.ContainsFunc(f.Breaks, func(b Breakage) bool { return b.covers(seen) }) {
			return false
		}
	}
	return true
}
