package gate

import "slices"

// ResultVersion is the version of the result's JSON, docs/gate.schema.json.
const ResultVersion = 1

// Result is what a run of the gate came to.
type Result struct {
	Version int `json:"version"`
	// Seed repeats the run: its order, its new names, its baseline at random.
	Seed   uint64 `json:"seed"`
	Rounds int    `json:"rounds"`
	// Hostile is how many cases are not among the bundles, see Recorded.
	Hostile int `json:"hostile"`
	// Skipped are scenarios that cannot come about on the lab, and Unreached are bundles that it should have given and did not.
	// Recorded bundles are all there.
	Skipped   []Absence `json:"skipped,omitempty"`
	Unreached []Absence `json:"unreached,omitempty"`
	// Remedied is what became of each fault by the remedy of what was found, where remedies were run.
	Remedied []Remedied `json:"remedied,omitempty"`
	// Bundles is how many there are, and Detectors are those that were judged by them.
	Bundles   int     `json:"bundles"`
	Detectors []Score `json:"detectors"`
	// Cells are those of the first round, in the order of the sources.
	Cells []Cell `json:"cells"`
	// Confusions are those of the first round, the most frequent first.
	Confusions []Confusion `json:"confusions"`
	Baselines  []Baseline  `json:"baselines"`
	// Differing are the cells that were not the same in all rounds.
	Differing []Differing `json:"differing"`
}

// Differing is a cell that was not the same in all rounds.
type Differing struct {
	Bundle   Source `json:"bundle"`
	Detector string `json:"detector"`
	// Was has what it was in each round.
	Was []string `json:"was"`
}

// Tally is how many of some are right.
type Tally struct {
	Right int `json:"right"`
	Of    int `json:"of"`
}

func (t *Tally) add(right bool) {
	t.Of++
	if right {
		t.Right++
	}
}

func (t *Tally) sum(o Tally) { t.Right, t.Of = t.Right+o.Right, t.Of+o.Of }

// Scores are how many cells are as they should be, apart for those that must speak, must be silent, and must say that they cannot tell.
type Scores struct {
	Speak   Tally `json:"speak"`
	Silent  Tally `json:"silent"`
	Abstain Tally `json:"abstain"`
}

func (s *Scores) add(c Cell) {
	switch c.Should {
	case Hit:
		s.Speak.add(c.Right)
	case Abstained:
		s.Abstain.add(c.Right)
	default:
		s.Silent.add(c.Right)
	}
}

// Score is how one detector did.
type Score struct {
	Detector string `json:"detector"`
	Scores   Scores `json:"scores"`
	// Outcomes is how many cells were what.
	Outcomes map[Outcome]int `json:"outcomes"`
	// What, Where and HowMuch are counted apart: of the problems that had to be reported, how many were named, and how many places
	// were; and how many were reported that are not there.
	What    Tally `json:"what"`
	Where   Tally `json:"where"`
	HowMuch int   `json:"howMuch"`
}

// Add adds another detector's.
func (s *Score) Add(o Score) {
	s.Scores.Speak.sum(o.Scores.Speak)
	s.Scores.Silent.sum(o.Scores.Silent)
	s.Scores.Abstain.sum(o.Scores.Abstain)
	s.What.sum(o.What)
	s.Where.sum(o.Where)
	s.HowMuch += o.HowMuch
}

// Right reports whether every cell is as it should be, in every round, and every remedy heals.
func (r Result) Right() bool {
	return len(r.Differing) == 0 && !slices.ContainsFunc(r.Remedied, func(m Remedied) bool { return !m.Right() }) && !slices.ContainsFunc(r.Cells, func(c Cell) bool { return !c.Right })
}

// score counts the cells of each detector.
func score(detectors []string, cells []Cell) []Score {
	all := make([]Score, len(detectors))
	for i, name := range detectors {
		s := Score{Detector: name, Outcomes: map[Outcome]int{}}
		for _, c := range cells {
			if c.Detector != name {
				continue
			}
			s.Scores.add(c)
			s.Outcomes[c.Was]++
			s.What.sum(Tally{c.What, c.Wanted})
			s.Where.sum(Tally{c.Where, c.Wanted})
			s.HowMuch += len(c.Extra)
		}
		all[i] = s
	}
	return all
}
