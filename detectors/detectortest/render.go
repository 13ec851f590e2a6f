package detectortest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors"
)

// Render writes findings for comparison: all that a reader is shown of them.
func Render(found []detectors.Finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintln(&b, strings.Join(strings.Fields(fmt.Sprintf("%s %s %s", f.Verdict, f.Severity, f.ID)), " "))
		line := func(key, text string) { fmt.Fprintf(&b, "  %-9s %s\n", key, text) }
		line("summary", f.Summary)
		if f.Expected != "" {
			line("expected", f.Expected)
			line("actual", f.Actual)
		}
		for _, what := range slices.Sorted(maps.Keys(f.Judged)) {
			line("judged", fmt.Sprintf("%d %s", f.Judged[what], what))
		}
		for _, k := range f.Breaks {
			line("breaks", fmt.Sprintf("%s %s → %s %s", strings.Join(k.Kinds, " "), k.From, k.To, k.Effect))
		}
		for _, id := range f.Explains {
			line("explains", id)
		}
		for _, e := range f.Evidence {
			where := e.File
			if e.Line > 0 {
				where = fmt.Sprintf("%s:%d", e.File, e.Line)
			}
			line("evidence", where+": "+e.Text)
		}
		for _, c := range f.Remedy {
			line("remedy", c.Typed())
		}
		for _, a := range f.Alternatives {
			line("or", a.Name)
			for _, c := range a.Remedy {
				line("", c.Typed())
			}
		}
	}
	return b.String()
}
