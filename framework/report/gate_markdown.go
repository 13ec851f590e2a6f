package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/netfault/netfault/framework/gate"
)

// GateMarkdown writes a result for a pull request or a job's summary: what GateTable writes, and the matrix of all bundles but those of
// cases, which are too many.
func GateMarkdown(w io.Writer, r gate.Result) {
	fmt.Fprintf(w, "## netfault gate\n%s.\n\n", gateSummary(r))
	markdownRow(w, gateHeader()...)
	fmt.Fprintln(w, strings.Repeat("| --- ", len(gateHeader()))+"|")
	for _, row := range gateRows(r) {
		markdownRow(w, row...)
	}
	for _, part := range gateLists(r) {
		fmt.Fprintf(w, "\n### %s\n", part.heading)
		for _, line := range part.told() {
			fmt.Fprintln(w, "- "+markdownText(line))
		}
		if more := part.untold(); more > 0 {
			fmt.Fprintf(w, "- and %d more\n", more)
		}
	}
	markdownMatrix(w, r)
}

// markdownMatrix writes a row for each bundle and a column for each detector; what is not as it should be is in bold.
func markdownMatrix(w io.Writer, r gate.Result) {
	fmt.Fprint(w, "\n<details><summary>The matrix, without the cases</summary>\n\n")
	header := []any{"bundle"}
	for _, s := range r.Detectors {
		header = append(header, s.Detector)
	}
	markdownRow(w, header...)
	fmt.Fprintln(w, strings.Repeat("| --- ", len(header))+"|")
	for i := 0; i < len(r.Cells); i += len(r.Detectors) {
		if r.Cells[i].Bundle.Kind == gate.Case {
			continue
		}
		row := []any{r.Cells[i].Bundle}
		for _, c := range r.Cells[i : i+len(r.Detectors)] {
			if c.Right {
				row = append(row, c.Was)
			} else {
				row = append(row, fmt.Sprintf("**%s**", c.Was))
			}
		}
		markdownRow(w, row...)
	}
	fmt.Fprint(w, "\n</details>\n")
}

func markdownRow(w io.Writer, cells ...any) {
	for _, c := range cells {
		text := fmt.Sprint(c)
		if !strings.HasPrefix(text, "**") {
			text = markdownText(text)
		}
		fmt.Fprint(w, "| ", text, " ")
	}
	fmt.Fprintln(w, "|")
}

// markdownText keeps a text from being read as Markdown or HTML: it may be a stranger's.
func markdownText(s string) string {
	return strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", "&", "&amp;", "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "@", "&#64;").Replace(s)
}
