package training

import (
	"github.com/netfault/netfault/detectors"
)

// Steps is how many a hint has.
const Steps = len(Hint{})

// Given is a hint as it is told.
type Given struct {
	// Finding is the ID of the finding that it is about.
	Finding string
	// Step is from 1 to Steps.
	Step int
	Text string
	// Free says that it was given before: it is told again, since it still holds.
	Free bool
}

// NextHints are the hints to tell now: those that were given and still hold, and one more. Findings are those of now, so that what was
// healed meanwhile is not spoken of any more. The first step, where to look, is left out for who has looked there. None new means that
// there are no more; none at all, that the cause is not to be seen any more.
func (e *Exercise) NextHints(language Language, findings []detectors.Finding, v Values, log Log) []Given {
	looked := log.LookedAt(v.At(e.Places)) != nil
	var all []Given
	seen := map[string]bool{}
	for _, f := range findings {
		// The same on another node has the same hints.
		if seen[f.Case] {
			continue
		}
		seen[f.Case] = true
		hint := e.Text(language).HintFor(f.Case)
		for step := 1; step <= Steps; step++ {
			g := Given{Finding: f.ID, Step: step, Text: v.With(f).Fill(hint[step-1]), Free: log.Given(f.ID, step)}
			if step == 1 && looked && !g.Free {
				continue
			}
			all = append(all, g)
			if !g.Free {
				return all
			}
		}
	}
	return all
}
