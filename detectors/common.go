package detectors

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors/evidence"
)

// call is what a probe tried: a connection of one kind from a node to another.
type call struct{ kind, from, to string }

// crosses reports whether it goes from one node of the cluster to another.
func (c call) crosses() bool { return c.from != c.to && c.kind != evidence.ProbeEgress }

// calls are those that were tried in a bundle, each with whether all its probes were answered. Probes that cannot be read are none.
func calls(b *evidence.Bundle) map[call]bool {
	probes, err := b.Probes()
	if err != nil {
		return nil
	}
	tried := map[call]bool{}
	for _, p := range probes {
		if p.Untried {
			continue
		}
		c := call{p.Kind, p.From, p.To}
		answered, again := tried[c]
		tried[c] = p.OK && (answered || !again)
	}
	return tried
}

// common says in a line what the calls that broke have in common, against all that were tried; "" where it is nothing, or
// where one broke alone.
func common(broken []call, tried map[call]bool) string {
	if len(broken) < 2 {
		return ""
	}
	var kinds []string
	for _, c := range broken {
		if !slices.Contains(kinds, c.kind) {
			kinds = append(kinds, c.kind)
		}
	}
	ofKinds, ofOthers := 0, 0
	for c := range tried {
		if slices.Contains(kinds, c.kind) {
			ofKinds++
		} else {
			ofOthers++
		}
	}
	switch {
	case len(broken) == ofKinds && ofOthers == 0:
		return "all of the probes show it"
	case len(broken) == ofKinds:
		return fmt.Sprintf("all of it is %s, and all of these probes show it", strings.Join(kinds, " and "))
	}
	place := commonPlace(broken, tried)
	if ofOthers == 0 || len(kinds) > 2 {
		return place
	}
	if place != "" {
		place = "; " + place
	}
	return "all of it is " + strings.Join(kinds, " and ") + place
}

// commonPlace says what is common to the ends of calls.
func commonPlace(broken []call, tried map[call]bool) string {
	first := broken[0]
	every := func(is func(call) bool) bool {
		return !slices.ContainsFunc(broken, func(c call) bool { return !is(c) })
	}
	from := func(node string) func(call) bool { return func(c call) bool { return c.from == node } }
	to := func(node string) func(call) bool { return func(c call) bool { return c.to == node } }
	at := func(node string) func(call) bool { return func(c call) bool { return c.from == node || c.to == node } }
	switch {
	case every(func(c call) bool { return c.from == c.to }):
		if every(from(first.from)) {
			return "all of it stays on " + first.from
		}
		return "all of it stays on the node that it comes from"
	case every(from(first.from)) && every(to(first.to)):
		return fmt.Sprintf("all of it goes from %s to %s", first.from, first.to)
	case every(at(first.from)) && every(at(first.to)) && every(call.crosses):
		return fmt.Sprintf("all of it is between %s and %s", min(first.from, first.to), max(first.from, first.to))
	}
	for _, node := range []string{first.from, first.to} {
		switch {
		case every(from(node)):
			return "all of it comes from " + node
		case every(to(node)):
			return "all of it goes to " + node
		case every(at(node)):
			return "all of it concerns " + node
		}
	}
	if !every(call.crosses) {
		return ""
	}
	stays, passes := false, true
	for c, answered := range tried {
		if c.from == c.to {
			stays = true
			passes = passes && answered
		}
	}
	if stays && passes {
		return "all of it crosses between nodes, and what stays on its node is answered"
	}
	return "all of it crosses between nodes"
}

// setCommon says of the symptoms that nothing explains what they have in common.
func (r *Report) setCommon() {
	unexplained := map[string]bool{}
	for _, id := range r.Unexplained {
		unexplained[id] = true
	}
	seen := map[call]bool{}
	var broken []call
	for _, f := range r.Findings {
		if !unexplained[f.ID] {
			continue
		}
		for _, b := range f.Breaks {
			for _, kind := range b.Kinds {
				if c := (call{kind, b.From, b.To}); !seen[c] {
					seen[c] = true
					broken = append(broken, c)
				}
			}
		}
	}
	r.Common = OneLine(common(broken, r.tried))
}
