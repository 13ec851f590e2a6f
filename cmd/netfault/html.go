package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/gate"
	"github.com/netfault/netfault/framework/report/page"
)

// htmlFlag is that of a file for a report to look at.
func htmlFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "html", "", "also write the report as one HTML file, to look at")
	// The flag was registered in the line above.
	_ = cmd.MarkFlagFilename("html", "html")
}

// writePage writes a page into a file, if there is to be one.
func writePage(file string, p page.Page) error {
	if file == "" {
		return nil
	}
	return into(file, os.O_TRUNC, func(w io.Writer) error { return page.Write(w, p) })
}

// findingsPage shows a report on the bundle in dir.
func findingsPage(dir string, b *evidence.Bundle, r detectors.Report, on detectors.FailOn) page.Page {
	p := page.Page{
		Title: "netfault detect", OK: r.ExitCode(on) == detectors.ExitClean, Verdict: verdictOf(r),
		Judged: page.Judge(dir, b, r), Writeups: page.WriteupsOf(r, all.Detectors()),
	}
	if info, err := b.Info(); err == nil {
		p.Facts = []page.Fact{
			{Name: "cluster", Value: info.Cluster}, {Name: "collected", Value: info.CollectedAt.UTC().Format(time.RFC3339)}, {Name: "by", Value: info.Tool},
		}
	}
	return p
}

// verdictOf counts what a report says.
func verdictOf(r detectors.Report) string {
	count := map[detectors.Verdict]int{}
	suppressed := 0
	for _, f := range r.Findings {
		if f.Suppressed != nil {
			suppressed++
			continue
		}
		count[f.Verdict]++
	}
	var parts []string
	for _, part := range []struct {
		n    int
		what string
	}{{count[detectors.Problem], "problems"}, {count[detectors.Unknown], "unknown"}, {suppressed, "suppressed"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.what))
		}
	}
	if len(parts) == 0 {
		return "clean"
	}
	return strings.Join(parts, ", ")
}

// gatePage shows a result of the gate.
func gatePage(r gate.Result) page.Page {
	p := page.Page{Title: "netfault gate", OK: r.Right(), Verdict: "every cell is as it should be", Gate: &r}
	if !p.OK {
		p.Verdict = "not every cell is as it should be"
	}
	p.Facts = []page.Fact{{Name: "rounds", Value: fmt.Sprint(r.Rounds)}, {Name: "seed", Value: fmt.Sprint(r.Seed)}}
	return p
}
