package gate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netfault/netfault/framework/fault"
)

// Outcome is what became of a cell: of one detector and one bundle.
type Outcome string

const (
	// Hit is that all problems were reported that must be, and no others.
	Hit Outcome = "hit"
	// Miss is that one was not reported.
	Miss Outcome = "miss"
	// FalseAlarm is that all were, if there are any, and others.
	FalseAlarm Outcome = "false alarm"
	// Silence is that nothing was found.
	Silence Outcome = "silence"
	// Abstained is that nothing was found, and that something is unknown.
	Abstained Outcome = "abstained"
	// Error is that there is no answer that can be used.
	Error Outcome = "error"
)

// Outcomes are all of them, in the order of reports.
var Outcomes = []Outcome{Hit, Silence, Miss, FalseAlarm, Abstained, Error}

// Cell is what one detector said of one bundle, beside what it should have said.
type Cell struct {
	Bundle   Source  `json:"bundle"`
	Detector string  `json:"detector"`
	Should   Outcome `json:"should"`
	Was      Outcome `json:"was"`
	// Right says that the cell is as it should be.
	Right bool `json:"right"`
	// Wanted is how many problems must be reported.
	Wanted int `json:"wanted,omitempty"`
	// What is how many of these were named (their case), and Where how many places were (node and peer), be it together or not.
	What  int `json:"what,omitempty"`
	Where int `json:"where,omitempty"`
	// Missed were not reported and Extra were, though they are not there.
	Missed []fault.Subject `json:"missed,omitempty"`
	Extra  []fault.Subject `json:"extra,omitempty"`
	// Why says in a line what is not as it should be.
	Why string `json:"why,omitempty"`
}

// Compare holds what a detector said of a bundle against what it should say.
func Compare(s Source, detector string, got Answer) Cell {
	want := s.Want[detector]
	c := Cell{
		Bundle: s, Detector: detector, Should: Silence, Wanted: len(want.Problems),
		Missed: without(want.Problems, got.Problems), Extra: without(got.Problems, want.Problems),
	}
	switch {
	case len(want.Problems) > 0:
		c.Should = Hit
	case want.Unknown:
		c.Should = Abstained
	}
	for _, w := range want.Problems {
		if slices.ContainsFunc(got.Problems, func(p fault.Subject) bool { return p.Case == w.Case }) {
			c.What++
		}
		if slices.ContainsFunc(got.Problems, func(p fault.Subject) bool { return p.Node == w.Node && p.Peer == w.Peer }) {
			c.Where++
		}
	}
	c.Was = outcome(want, got, len(c.Missed), len(c.Extra))
	c.Right = c.Was == c.Should && want.Unknown == got.Unknown
	if !c.Right {
		c.Why = c.why(want, got)
	}
	return c
}

func outcome(want, got Answer, missed, extra int) Outcome {
	switch {
	case got.Err != "":
		return Error
	case len(got.Problems) == 0 && got.Unknown:
		return Abstained
	case missed > 0:
		return Miss
	case extra > 0:
		return FalseAlarm
	case len(want.Problems) > 0:
		return Hit
	}
	return Silence
}

// why says what is wrong.
func (c Cell) why(want, got Answer) string {
	if c.Was == Error {
		return got.Err
	}
	var parts []string
	for _, m := range c.Missed {
		parts = append(parts, "not reported: "+m.String())
	}
	for _, e := range c.Extra {
		parts = append(parts, "not there: "+e.String())
	}
	switch {
	case want.Unknown && !got.Unknown:
		parts = append(parts, "something is unknown, and it does not say so")
	case got.Unknown && !want.Unknown:
		parts = append(parts, "it says unknown, and nothing is")
	}
	const most = 4
	if more := len(parts) - most; more > 1 {
		parts = append(parts[:most], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, "; ")
}
