package gate

import (
	"cmp"
	"slices"

	"github.com/netfault/netfault/framework/fault"
)

// Confusion is one thing taken for another, in so many places.
type Confusion struct {
	// Took is what was there and Reported what was said instead, as DETECTOR/CASE; Nothing where there was none, or none was said.
	Took     string `json:"took"`
	Reported string `json:"reported"`
	Count    int    `json:"count"`
}

// Nothing stands in a Confusion for no problem, and NotTold for none since the detector could not tell, or gave no answer.
const (
	Nothing = "nothing"
	NotTold = "unknown"
)

// named is a problem of a detector that was missed, or that is not there.
type named struct {
	fault.Subject
	detector string
	// silent is what a missed one counts as reported if nothing was reported for it.
	silent string
}

func (n named) String() string { return n.detector + "/" + n.Case }

// confusions pairs, for each bundle, what was missed with what was reported and is not there: what is about the same place first,
// then about the same node, then of the same detector.
func confusions(cells []Cell) []Confusion {
	missed, extra := map[string][]named{}, map[string][]named{}
	for _, c := range cells {
		silent := Nothing
		if c.Was == Abstained || c.Was == Error {
			silent = NotTold
		}
		for _, s := range c.Missed {
			missed[c.Bundle.String()] = append(missed[c.Bundle.String()], named{s, c.Detector, silent})
		}
		for _, s := range c.Extra {
			extra[c.Bundle.String()] = append(extra[c.Bundle.String()], named{s, c.Detector, ""})
		}
	}
	count := map[Confusion]int{}
	for bundle, lost := range missed {
		found := extra[bundle]
		for _, same := range []func(a, b named) bool{
			func(a, b named) bool { return a.Node == b.Node && a.Peer == b.Peer },
			func(a, b named) bool { return a.Node == b.Node },
			func(a, b named) bool { return a.detector == b.detector },
		} {
			lost = slices.DeleteFunc(lost, func(l named) bool {
				i := slices.IndexFunc(found, func(f named) bool { return same(l, f) })
				if i < 0 {
					return false
				}
				reported := found[i].String()
				if reported == l.String() {
					reported += " elsewhere"
				}
				count[Confusion{Took: l.String(), Reported: reported}]++
				found = slices.Delete(found, i, i+1)
				return true
			})
		}
		for _, l := range lost {
			count[Confusion{Took: l.String(), Reported: l.silent}]++
		}
		extra[bundle] = found
	}
	for _, found := range extra {
		for _, f := range found {
			count[Confusion{Took: Nothing, Reported: f.String()}]++
		}
	}
	all := []Confusion{}
	for c, n := range count {
		c.Count = n
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Confusion) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Took, b.Took), cmp.Compare(a.Reported, b.Reported))
	})
	return all
}
