package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"

	"github.com/netfault/netfault/detectors"
)

// FindingsJSON writes the report in its documented form, docs/FINDINGS.md.
func FindingsJSON(w io.Writer, r detectors.Report) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

// FindingsTable writes what is not real where the evidence comes from; what nothing explains; then one row for each finding, of which those that a cause explains
// are counted with it; then the evidence and the remedy of each cause.
func FindingsTable(w io.Writer, r detectors.Report) {
	c := NewConsole(w)
	if len(r.StandIns) > 0 {
		fmt.Fprintf(w, "not all is real where this comes from: %s\n\n", strings.Join(r.StandIns, "; "))
	}
	c.unexplained(r)
	t := NewTable(w, "detector", "verdict", "where", "what")
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 4, WidthMax: textWidth(w), WidthMaxEnforcer: text.WrapSoft}})
	explained := map[string]string{}
	for _, f := range r.Findings {
		for _, id := range f.Explains {
			explained[id] = cmp.Or(explained[id], f.ID)
		}
	}
	for _, f := range r.Findings {
		if explained[f.ID] == "" {
			t.AppendRow(table.Row{f.Detector, c.verdict(f), where(f), c.what(f)})
		}
	}
	t.Render()
	for _, f := range r.Findings {
		switch {
		case f.Suppressed != nil:
		case f.Verdict == detectors.Problem:
			c.explain(f)
		case f.Verdict == detectors.Unknown:
			c.doubts(f)
		}
	}
	for _, s := range r.Suppressions {
		switch {
		case s.Ended:
			fmt.Fprintf(w, "\nthe suppression of %s has ended on %s and counts no more: %s\n", s.ID, s.Until, s.Reason)
		case s.Matches == 0:
			fmt.Fprintf(w, "\nthe suppression of %s matches nothing: %s\n", s.ID, s.Reason)
		}
	}
}

// maxUnexplained is how many symptoms are told one by one.
const maxUnexplained = 8

// unexplained tells the symptoms that no cause explains.
func (c *Console) unexplained(r detectors.Report) {
	if len(r.Unexplained) == 0 {
		return
	}
	heading := fmt.Sprintf("%d symptoms that no known cause explains", len(r.Unexplained))
	if len(r.Unexplained) == 1 {
		heading = "1 symptom that no known cause explains"
	}
	if r.Common != "" {
		heading += "; " + r.Common
	}
	fmt.Fprintln(c.w, c.paint(bold, heading+":"))
	for i, id := range r.Unexplained {
		if i == maxUnexplained {
			fmt.Fprintf(c.w, "  and %d more, in the table\n", len(r.Unexplained)-i)
			break
		}
		f := r.Findings[slices.IndexFunc(r.Findings, func(f detectors.Finding) bool { return f.ID == id })]
		fmt.Fprintf(c.w, "  %s\n", f.Summary)
	}
	fmt.Fprintln(c.w)
}

// what is the summary of a finding, with what follows from it, or why it does not count.
func (c *Console) what(f detectors.Finding) string {
	switch {
	case f.Suppressed != nil:
		return fmt.Sprintf("%s (until %s: %s)", f.Summary, f.Suppressed.Until, f.Suppressed.Reason)
	case len(f.Explains) == 1:
		return f.Summary + "; explains 1 more finding"
	case len(f.Explains) > 1:
		return fmt.Sprintf("%s; explains %d more findings", f.Summary, len(f.Explains))
	}
	return f.Summary
}

// textWidth is how wide the column of summaries may be: what the terminal leaves beside the other three.
func textWidth(w io.Writer) int {
	const others, least, most = 48, 40, 90
	f, ok := w.(file)
	if !ok {
		return most
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return most // not a terminal
	}
	return min(max(width-others, least), most)
}

func where(f detectors.Finding) string {
	if f.Peer == "" {
		return f.Node
	}
	return f.Node + " → " + f.Peer
}

func (c *Console) verdict(f detectors.Finding) string {
	switch {
	case f.Suppressed != nil:
		return "suppressed"
	case f.Verdict == detectors.Problem:
		return c.paint(red, string(f.Verdict))
	case f.Verdict == detectors.Clean:
		return c.paint(green, string(f.Verdict))
	}
	return string(f.Verdict)
}

// explain writes what a table has no room for. The row of a symptom says it all.
func (c *Console) explain(f detectors.Finding) {
	if len(f.Remedy) == 0 && len(f.Evidence) < 2 {
		return
	}
	fmt.Fprintf(c.w, "\n%s\n", c.paint(bold, f.Detector+" "+where(f)+": "+f.Summary))
	if f.Expected != "" {
		fmt.Fprintf(c.w, "  expected  %s\n  actual    %s\n", f.Expected, f.Actual)
	}
	c.evidence(f)
	for _, id := range f.Explains {
		fmt.Fprintf(c.w, "  explains  %s\n", id)
	}
	c.remedy("remedy", f.Remedy)
	for _, a := range f.Alternatives {
		fmt.Fprintf(c.w, "  or, %s:\n", a.Name)
		c.remedy("", a.Remedy)
	}
	fmt.Fprintf(c.w, "  more      netfault explain %s/%s\n", f.Detector, f.Case)
}

// doubts writes why a verdict is unknown, unless its row says it all.
func (c *Console) doubts(f detectors.Finding) {
	if len(f.Evidence) < 2 {
		return
	}
	fmt.Fprintf(c.w, "\n%s\n", c.paint(bold, fmt.Sprintf("%s cannot tell, for %d reasons:", f.Detector, len(f.Evidence))))
	c.evidence(f)
}

// maxEvidence is how many lines of a finding are shown.
const maxEvidence = 20

func (c *Console) evidence(f detectors.Finding) {
	for i, e := range f.Evidence {
		if i == maxEvidence {
			fmt.Fprintf(c.w, "  and %d more, which -o json has\n", len(f.Evidence)-i)
			return
		}
		file := e.File
		if e.Line > 0 {
			file = fmt.Sprintf("%s:%d", file, e.Line)
		}
		fmt.Fprintf(c.w, "  evidence  %s: %s\n", file, strings.ReplaceAll(e.Text, "\n", "\n            "))
	}
}

// remedy writes commands under a heading.
func (c *Console) remedy(heading string, commands []detectors.Command) {
	for _, r := range commands {
		fmt.Fprintf(c.w, "  %-9s %s# %s\n            %s\n", heading, r.Where(), c.paint(bold, r.String()), c.paint(dim, r.Why))
	}
}

// DetectorsTable lists detectors and their cases.
func DetectorsTable(w io.Writer, dets []detectors.Detector) {
	t := NewTable(w, "detector", "case", "severity", "what is wrong")
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 4, WidthMax: textWidth(w), WidthMaxEnforcer: text.WrapSoft}})
	for _, d := range dets {
		for i, c := range d.Cases {
			name := d.Name
			if i > 0 {
				name = ""
			}
			t.AppendRow(table.Row{name, c.Name, c.Severity, c.About})
		}
	}
	t.Render()
}
