package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/netfault/netfault/framework/gate"
)

// GateJSON writes a result in its documented form, docs/gate.schema.json.
func GateJSON(w io.Writer, r gate.Result) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

// maxWrong is how many wrong cells, and how many confusions, are told one by one.
const maxWrong = 40

// GateTable writes how each detector did, beside those who look at nothing; then every cell that is not as it should be, what was
// taken for what, and what differs from round to round.
func GateTable(w io.Writer, r gate.Result) {
	c := NewConsole(w)
	fmt.Fprintln(w, gateSummary(r))
	t := NewTable(w, gateHeader()...)
	for _, row := range gateRows(r) {
		t.AppendRow(row)
	}
	t.Render()
	for _, part := range gateLists(r) {
		fmt.Fprintf(w, "\n%s\n", c.paint(bold, part.heading))
		for _, line := range part.told() {
			fmt.Fprintln(w, "  "+line)
		}
		if more := part.untold(); more > 0 {
			fmt.Fprintf(w, "  and %d more, which -o json has\n", more)
		}
	}
}

// gateSummary says in a line what was judged, and what came of it.
func gateSummary(r gate.Result) string {
	right := 0
	for _, c := range r.Cells {
		if c.Right {
			right++
		}
	}
	text := fmt.Sprintf("%d bundles and %d detectors: %d of %d cells are as they should be", r.Bundles, len(r.Detectors), right, len(r.Cells))
	if r.Rounds > 1 {
		text += fmt.Sprintf(" in the first of %d rounds, and %d differ between them", r.Rounds, len(r.Differing))
	}
	text += fmt.Sprintf("; seed %d", r.Seed)
	if r.Hostile > 0 {
		text += fmt.Sprintf("; %d hostile cases are left out", r.Hostile)
	}
	return text
}

func gateHeader() table.Row {
	return table.Row{"detector", "must speak", "must be silent", "must be unknown", "what", "where", "too much", "wrong cells"}
}

// gateRows has a row for each detector, one for all of them, and one for each baseline.
func gateRows(r gate.Result) []table.Row {
	var rows []table.Row
	var all gate.Score
	for _, s := range r.Detectors {
		rows = append(rows, scoreRow(s, wrongCells(r, s.Detector)))
		all.Add(s)
	}
	all.Detector = "all of them"
	rows = append(rows, scoreRow(all, wrongCells(r, "")))
	for _, b := range r.Baselines {
		rows = append(rows, table.Row{b.Name, tally(b.Scores.Speak), tally(b.Scores.Silent), tally(b.Scores.Abstain), "", "", "", ""})
	}
	return rows
}

func scoreRow(s gate.Score, wrong string) table.Row {
	return table.Row{s.Detector, tally(s.Scores.Speak), tally(s.Scores.Silent), tally(s.Scores.Abstain), tally(s.What), tally(s.Where), s.HowMuch, wrong}
}

func tally(t gate.Tally) string { return fmt.Sprintf("%d/%d", t.Right, t.Of) }

// wrongCells counts a detector's cells that are not as they should be, by what they were; those of all where it is empty.
func wrongCells(r gate.Result, detector string) string {
	var parts []string
	for _, o := range gate.Outcomes {
		count := 0
		for _, c := range r.Cells {
			if !c.Right && c.Was == o && (detector == "" || c.Detector == detector) {
				count++
			}
		}
		if count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count, o))
		}
	}
	return strings.Join(parts, ", ")
}

// gateList is a heading and what stands below it.
type gateList struct {
	heading string
	lines   []string
}

// told are the lines that are told one by one, and untold is how many are not.
func (l gateList) told() []string { return l.lines[:min(len(l.lines), maxWrong)] }
func (l gateList) untold() int    { return len(l.lines) - len(l.told()) }

// gateLists are the lists that a result has, without those that are empty.
func gateLists(r gate.Result) []gateList {
	var wrong, confused, differing []string
	for _, c := range r.Cells {
		if !c.Right {
			wrong = append(wrong, fmt.Sprintf("%s, %s: %s (should be: %s): %s", c.Bundle, c.Detector, c.Was, c.Should, c.Why))
		}
	}
	for _, c := range r.Confusions {
		confused = append(confused, fmt.Sprintf("took %s for %s: %d", c.Took, c.Reported, c.Count))
	}
	for _, d := range r.Differing {
		differing = append(differing, fmt.Sprintf("%s, %s: %s", d.Bundle, d.Detector, strings.Join(slices.Compact(d.Was), ", then ")))
	}
	return slices.DeleteFunc([]gateList{
		{"what the remedies did", remedied(r)},
		{"cells that are not as they should be", wrong},
		{"confusions", confused},
		{"cells that differ between rounds", differing},
		{"phases that no lab came to", absences(r.Unreached)},
		{"faults that cannot come about here", absences(r.Skipped)},
	}, func(l gateList) bool { return len(l.lines) == 0 })
}

func absences(all []gate.Absence) []string {
	var lines []string
	for _, a := range all {
		lines = append(lines, fmt.Sprintf("%s: %s", a.Bundle, a.Why))
	}
	return lines
}

// remedied has a line for each remedy: what it did, and what is gone.
func remedied(r gate.Result) []string {
	var lines []string
	for _, m := range r.Remedied {
		line := fmt.Sprintf("%s: %s", m.Bundle.Name, m.Was)
		if m.Why != "" {
			line += ": " + m.Why
		}
		if len(m.Gone) > 0 {
			line += "; gone: " + strings.Join(m.Gone, ", ")
		}
		lines = append(lines, line)
	}
	return lines
}
