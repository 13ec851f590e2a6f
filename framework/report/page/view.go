package page

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/gate"
	"github.com/netfault/netfault/framework/probe"
)

// step is a row of a life's plan.
type step struct {
	Number      int
	Name, About string
	// State is "passed", "failed" or "not run".
	State string
	Took  string
	// Share is its part of the whole time, in percent, and Before that of what came before it.
	Share, Before float64
	Result        *fault.Result
}

// stepsOf puts what was run beside what was planned.
func stepsOf(l Life) []step {
	var all []step
	total := 0.0
	for _, r := range l.Steps {
		total += r.Seconds
	}
	before := 0.0
	for i, p := range l.Plan {
		s := step{Number: i + 1, Name: p.Name, About: p.About, State: "not run"}
		if i < len(l.Steps) {
			r := l.Steps[i]
			s.Result, s.State = &r, "failed"
			if r.OK {
				s.State = "passed"
			}
			s.Took = time.Duration(r.Seconds * float64(time.Second)).Round(time.Millisecond).String()
			if total > 0 {
				s.Share, s.Before = 100*r.Seconds/total, 100*before/total
			}
			before += r.Seconds
		}
		all = append(all, s)
	}
	return all
}

// comparison are the probes of a life: those that failed at any time, and how many never did.
type comparison struct {
	Rows    []probeRow
	Passing int
	// Times are those at which probes were made.
	Times []string
}

type probeRow struct {
	What string
	// Cells has one for each of the times: empty for a probe that passed.
	Cells []probeCell
	// Died are the places where its packets died.
	Died []string
}

// notMade is a probe that was made at other times.
const notMade = "not made"

type probeCell struct{ Failure, Text string }

// compare puts the probes of different times beside each other.
func compare(l Life) comparison {
	var c comparison
	rows := map[string]*probeRow{}
	var order []string
	for _, at := range []struct {
		name   string
		judged *Judged
	}{{"before", l.Healthy}, {"during", l.Faulty}, {"after", l.Healed}} {
		if at.judged == nil || len(at.judged.Probes) == 0 {
			continue
		}
		c.Times = append(c.Times, at.name)
		for _, p := range at.judged.Probes {
			what := probe.Name(p)
			if rows[what] == nil {
				rows[what] = &probeRow{What: what}
				order = append(order, what)
			}
			for len(rows[what].Cells) < len(c.Times)-1 {
				rows[what].Cells = append(rows[what].Cells, probeCell{Text: notMade})
			}
			if len(rows[what].Cells) < len(c.Times) {
				rows[what].Cells = append(rows[what].Cells, cellOf(at.judged.Nodes, p))
			}
		}
	}
	for _, what := range order {
		row := rows[what]
		if !slices.ContainsFunc(row.Cells, func(c probeCell) bool { return c.Failure != "" }) {
			c.Passing++
			continue
		}
		for len(row.Cells) < len(c.Times) {
			row.Cells = append(row.Cells, probeCell{Text: notMade})
		}
		if d := l.Deaths(); d != nil {
			for _, s := range d.Drops {
				if slices.Contains(s.Lost, what) {
					row.Died = append(row.Died, fmt.Sprintf("%s: %s (%s), sent by %s", s.Place(), s.Class, s.Reason, s.From))
				}
			}
		}
		c.Rows = append(c.Rows, *row)
	}
	return c
}

func cellOf(nodes []Node, p evidence.Probe) probeCell {
	if why := failure(nodes, p); why != "" {
		return probeCell{why, why}
	}
	return probeCell{"", fmt.Sprintf("%.1f ms", p.Millis)}
}

// failure is why a probe did not do what it must, or "".
func failure(nodes []Node, p evidence.Probe) string {
	address := ""
	for _, n := range nodes {
		if n.Name == p.From {
			address = n.Address
		}
	}
	return probe.FailureFrom(address, p)
}

// findings are those of a report, in the order in which they are shown.
type findings struct {
	Unexplained, Causes, Symptoms, Unknowns, Suppressed []detectors.Finding
	Quiet                                               int
}

// reportsOf sorts a report's findings: what no cause explains stands first, as everywhere.
func reportsOf(r detectors.Report) findings {
	explained := explainedIn(r)
	var s findings
	for _, f := range r.Findings {
		switch {
		case f.Suppressed != nil:
			s.Suppressed = append(s.Suppressed, f)
		case f.Verdict == detectors.Unknown:
			s.Unknowns = append(s.Unknowns, f)
		case f.Verdict != detectors.Problem:
			s.Quiet++
		case slices.Contains(r.Unexplained, f.ID):
			s.Unexplained = append(s.Unexplained, f)
		case explained[f.ID] && len(f.Remedy) == 0:
			s.Symptoms = append(s.Symptoms, f)
		default:
			s.Causes = append(s.Causes, f)
		}
	}
	return s
}

func where(f detectors.Finding) string {
	if f.Peer == "" {
		return cmp.Or(f.Node, "the cluster")
	}
	return f.Node + " → " + f.Peer
}

// matrix is a result of the gate: a row for each bundle but those of cases, which are many, and one for those of each detector.
type matrix struct {
	Summary   string
	Detectors []string
	Rows      []matrixRow
	Wrong     []gate.Cell
	More      int
}

type matrixRow struct {
	Bundle string
	Cells  []matrixCell
}

type matrixCell struct {
	// Sign is one character, so that a matrix fits, and Text says it in words.
	Sign, Text string
	Right      bool
}

// signs are what a cell is in one character: not its colour alone tells it.
var signs = map[gate.Outcome]string{
	gate.Hit: "●", gate.Silence: "·", gate.Miss: "○", gate.FalseAlarm: "!", gate.Abstained: "?", gate.Error: "✕",
}

// mostWrong is how many wrong cells are told one by one.
const mostWrong = 200

func matrixOf(r gate.Result) matrix {
	m := matrix{}
	for _, s := range r.Detectors {
		m.Detectors = append(m.Detectors, s.Detector)
	}
	right := 0
	cases := map[string]*matrixRow{}
	counts := map[string][]gate.Tally{}
	var order []string
	for i, c := range r.Cells {
		if c.Right {
			right++
		} else {
			m.Wrong = append(m.Wrong, c)
		}
		column := i % max(len(m.Detectors), 1)
		if c.Bundle.Kind != gate.Case {
			if column == 0 {
				m.Rows = append(m.Rows, matrixRow{Bundle: c.Bundle.String()})
			}
			row := &m.Rows[len(m.Rows)-1]
			text := string(c.Was)
			if !c.Right {
				text = fmt.Sprintf("%s, should be %s", c.Was, c.Should)
			}
			row.Cells = append(row.Cells, matrixCell{signs[c.Was], text, c.Right})
			continue
		}
		name := "cases of " + strings.SplitN(c.Bundle.Name, "/", 2)[0]
		if cases[name] == nil {
			cases[name] = &matrixRow{Bundle: name}
			counts[name] = make([]gate.Tally, len(m.Detectors))
			order = append(order, name)
		}
		t := &counts[name][column]
		t.Of++
		if c.Right {
			t.Right++
		}
	}
	for _, name := range order {
		for _, t := range counts[name] {
			cases[name].Cells = append(cases[name].Cells, matrixCell{tally(t), fmt.Sprintf("%d of %d are right", t.Right, t.Of), t.Right == t.Of})
		}
		m.Rows = append(m.Rows, *cases[name])
	}
	m.Summary = fmt.Sprintf("%d bundles and %d detectors: %d of %d cells are as they should be.", r.Bundles, len(r.Detectors), right, len(r.Cells))
	if n := len(m.Wrong); n > mostWrong {
		m.Wrong, m.More = m.Wrong[:mostWrong], n-mostWrong
	}
	return m
}

func tally(t gate.Tally) string { return fmt.Sprintf("%d/%d", t.Right, t.Of) }
