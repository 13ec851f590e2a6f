package report

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
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

// FindingsTable writes one row for each finding, then the evidence and the remedy of each problem.
func FindingsTable(w io.Writer, r detectors.Report) {
	c := NewConsole(w)
	t := NewTable(w, "detector", "verdict", "where", "what")
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 4, WidthMax: textWidth(w), WidthMaxEnforcer: text.WrapSoft}})
	for _, f := range r.Findings {
		t.AppendRow(table.Row{f.Detector, c.verdict(f), where(f), f.Summary})
	}
	t.Render()
	for _, f := range r.Findings {
		if f.Verdict == detectors.Problem {
			c.explain(f)
		}
	}
}

// textWidth is how wide the column of summaries may be: what the terminal leaves beside the other three.
func textWidth(w io.Writer) int {
	const others, least, most = 48, 40, 90
	f, ok := w.(*os.File)
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
	switch f.Verdict {
	case detectors.Problem:
		return c.paint(red, string(f.Verdict))
	case detectors.Clean:
		return c.paint(green, string(f.Verdict))
	}
	return string(f.Verdict)
}

// explain writes what a table has no room for. The row of a symptom, which has neither case nor remedy, says it all.
func (c *Console) explain(f detectors.Finding) {
	if len(f.Remedy) == 0 && f.Case == "" {
		return
	}
	fmt.Fprintf(c.w, "\n%s\n", c.paint(bold, f.Detector+" "+where(f)+": "+f.Summary))
	if f.Expected != "" {
		fmt.Fprintf(c.w, "  expected  %s\n  actual    %s\n", f.Expected, f.Actual)
	}
	for _, e := range f.Evidence {
		fmt.Fprintf(c.w, "  evidence  %s: %s\n", e.File, strings.ReplaceAll(e.Text, "\n", "\n            "))
	}
	c.remedy("remedy", f.Remedy)
	for _, a := range f.Alternatives {
		fmt.Fprintf(c.w, "  or, %s:\n", a.Name)
		c.remedy("", a.Remedy)
	}
}

// remedy writes commands under a heading.
func (c *Console) remedy(heading string, commands []detectors.Command) {
	for _, r := range commands {
		node := r.Node
		if node == "" {
			node = "kubectl"
		}
		fmt.Fprintf(c.w, "  %-9s %s# %s\n            %s\n", heading, node, c.paint(bold, r.String()), c.paint(dim, r.Why))
	}
}
