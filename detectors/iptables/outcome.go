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
	policy  *chain
	to      string
	doubts  []Doubt
}

func (e final) key() string {
	return e.reason() + e.box.key(-1)
}

// reason writes what became of the packets, and by what.
func (e final) reason() string {
	return fmt.Sprintf("%s %p %p %s ", e.verdict, e.rule, e.policy, e.to)
}

// end notes what became of flows.
func (w *walker) end(verdict Verdict, rule *Rule, to string, flows ...flow) {
	for i := range flows {
		w.done = append(w.done, final{box: flows[i].box, verdict: verdict, rule: rule, to: to, doubts: flows[i].doubts})
	}
}

// stop ends flows that are dropped or rejected, as e says of their packets.
func (w *walker) stop(e final, flows []flow) {
	for i := range flows {
		e.box, e.doubts = flows[i].box, flows[i].doubts
		w.done = append(w.done, e)
	}
}

// endUnknown ends flows at something that is not understood.
func (w *walker) endUnknown(why Doubt, flows ...flow) {
	for i := range flows {
		flows[i].doubts = with(flows[i].doubts, why)
	}
	w.end(Unknown, nil, "", flows...)
}

// ranks orders verdicts: of several possible ends of a packet, the first of these is told.
var ranks = []Verdict{Unknown, Rewritten, Kept, Passed, Redirected, Dropped, Rejected}

// maxInDoubt is how many ends that are in doubt are compared; of more, none is told.
const maxInDoubt = 500

// outcomes makes one answer for each packet of all its possible ends. Ends without doubts are the only ones of their
// packets. A packet is unknown if both of two verdicts are possible that differ by what was asked for.
func outcomes(done []final, whole *box, differ func(a, b Verdict) bool) []Outcome {
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
	for i, first := range ranks {
		for _, second := range ranks[i+1:] {
			if differ(first, second) {
				doubtful[Unknown] = append(doubtful[Unknown], undecided(doubtful[first], doubtful[second])...)
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

// undecided returns what is in ends of both kinds.
func undecided(first, second []final) (out []final) {
	for _, a := range first {
		for _, b := range second {
			if common := a.box.and(&b.box); !common.empty() {
				out = append(out, final{box: common, verdict: Unknown, doubts: decisiveFirst(a, b)})
			}
		}
	}
	return out
}

// decisiveFirst returns the doubts of two ends of the same packets, those on the rule that decides at the front, and what was
// met later before what was met earlier: that is more likely to have made the difference.
func decisiveFirst(a, b final) []Doubt {
	var all []Doubt
	add := func(doubts []Doubt, of func(Doubt) bool) {
		for _, d := range slices.Backward(doubts) {
			if of(d) && !slices.Contains(all, d) {
				all = append(all, d)
			}
		}
	}
	for _, e := range []final{a, b} {
		add(e.doubts, func(d Doubt) bool { return e.rule != nil && d.Rule == e.rule })
	}
	for _, e := range []final{a, b} {
		add(e.doubts, func(Doubt) bool { return true })
	}
	return all[:min(len(all), maxDoubts)]
}

// group puts the ends together that differ in their packets only.
func group(ends []final, whole *box) []Outcome {
	var out []Outcome
	byKey := map[string]int{}
	for _, e := range ends {
		key := fmt.Sprint(e.reason(), e.doubts)
		i, ok := byKey[key]
		if !ok {
			i = len(out)
			byKey[key] = i
			out = append(out, Outcome{Verdict: e.verdict, Rule: e.rule, To: e.to, Doubts: e.doubts, Traffic: Traffic{whole: *whole}})
			if e.policy != nil {
				out[i].Policy = &Policy{e.policy}
			}
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
