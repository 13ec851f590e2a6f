package iptables

import (
	"fmt"
	"slices"
)

// final is the end of the way of some packets, or one of several possible ends if there are doubts.
type final struct {
	box     box
	verdict Verdict
	rule    *Rule
	to      string
	doubts  []Doubt
}

func (e final) key() string {
	return fmt.Sprintf("%s %p %s %s", e.verdict, e.rule, e.to, e.box.key(nil, -1))
}

// end notes what became of flows.
func (w *walker) end(verdict Verdict, rule *Rule, to string, flows ...flow) {
	for i := range flows {
		w.done = append(w.done, final{box: flows[i].box, verdict: verdict, rule: rule, to: to, doubts: flows[i].doubts})
	}
}

// endUnknown ends flows at something that is not understood.
func (w *walker) endUnknown(why Doubt, flows ...flow) {
	for i := range flows {
		flows[i].doubts = with(flows[i].doubts, why)
		// The last doubt is the one that ends it: it must be among those that are kept.
		if !slices.Contains(flows[i].doubts, why) {
			flows[i].doubts = append(slices.Clone(flows[i].doubts[:maxDoubts-1]), why)
		}
	}
	w.end(Unknown, nil, "", flows...)
}

// ranks orders verdicts: of several possible ends of a packet, the first of these is told.
var ranks = []Verdict{Unknown, Rewritten, Kept, Redirected, Dropped}

// maxInDoubt is how many ends that are in doubt are compared; of more, none is told.
const maxInDoubt = 500

// outcomes makes one answer for each packet of all its possible ends. Ends without doubts are the only ones of their
// packets. A packet that may be rewritten and may be kept is unknown.
func outcomes(done []final, whole *box) []Outcome {
	var certain, inDoubt []final
	for _, e := range done {
		if len(e.doubts) == 0 {
			certain = append(certain, e)
		} else {
			inDoubt = append(inDoubt, e)
		}
	}
	if len(inDoubt) > maxInDoubt {
		doubts := with(nil, inDoubt[0].doubts...)
		for i := range inDoubt {
			inDoubt[i] = final{box: inDoubt[i].box, verdict: Unknown, doubts: doubts}
		}
		return group(append(certain, inDoubt...), whole)
	}
	doubtful := map[Verdict][]final{}
	for _, e := range inDoubt {
		doubtful[e.verdict] = append(doubtful[e.verdict], e)
	}
	for _, rewritten := range doubtful[Rewritten] {
		for _, kept := range doubtful[Kept] {
			if common := rewritten.box.and(&kept.box); !common.empty() {
				doubts := with(rewritten.doubts, kept.doubts...)
				doubtful[Unknown] = append(doubtful[Unknown], final{box: common, verdict: Unknown, doubts: doubts})
			}
		}
	}
	settled := certain
	var taken []box
	for _, verdict := range ranks {
		for _, e := range doubtful[verdict] {
			for _, left := range minusAll([]box{e.box}, taken) {
				part := e
				part.box = left
				settled = append(settled, part)
			}
			taken = append(taken, e.box)
		}
	}
	return group(settled, whole)
}

// group puts the ends together that differ in their packets only.
func group(ends []final, whole *box) []Outcome {
	var out []Outcome
	byKey := map[string]int{}
	for _, e := range ends {
		key := fmt.Sprintf("%s %p %s %v", e.verdict, e.rule, e.to, e.doubts)
		i, ok := byKey[key]
		if !ok {
			i = len(out)
			byKey[key] = i
			out = append(out, Outcome{Verdict: e.verdict, Rule: e.rule, To: e.to, Doubts: e.doubts, Traffic: Traffic{whole: *whole}})
		}
		out[i].Traffic.boxes = append(out[i].Traffic.boxes, e.box)
	}
	for i := range out {
		out[i].Traffic.boxes = joinBoxes(out[i].Traffic.boxes)
	}
	slices.SortStableFunc(out, func(a, b Outcome) int {
		return boolInt(a.Verdict == Unknown) - boolInt(b.Verdict == Unknown)
	})
	return out
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
