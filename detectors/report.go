package detectors

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/netfault/netfault/detectors/evidence"
)

// ReportVersion is the version of the report's JSON, see docs/FINDINGS.md.
const ReportVersion = 1

// Report is what detectors found in one bundle.
type Report struct {
	Version  int       `json:"version"`
	Findings []Finding `json:"findings"`
}

// Run judges b by each of dets in turn. The findings stand in that order, each named after its detector. A bundle.json
// that cannot be read or is of another layout version makes every detector unknown; a bundle without one is judged. So
// does a detector that panics or finds nothing to say make itself unknown: a fault of the program is no clean cluster.
func Run(ctx context.Context, b *evidence.Bundle, dets []Detector) Report {
	report := Report{Version: ReportVersion, Findings: []Finding{}}
	_, infoErr := b.Info()
	for _, d := range dets {
		var found []Finding
		if infoErr != nil && !errors.Is(infoErr, fs.ErrNotExist) {
			var why doubts
			why.add("", unusable(evidence.InfoFile, infoErr))
			found = why.findings()
		} else {
			found = detect(ctx, b, d)
		}
		for _, f := range found {
			f.Detector = d.Name
			report.Findings = append(report.Findings, f)
		}
	}
	return report
}

// detect calls d.Detect and turns a panic or silence into an unknown finding.
func detect(ctx context.Context, b *evidence.Bundle, d Detector) (found []Finding) {
	defer func() {
		if p := recover(); p != nil {
			found = []Finding{{Verdict: Unknown, Summary: oneLine(fmt.Sprintf("the detector panicked, which is a bug in it: %v", p))}}
		}
	}()
	found = d.Detect(ctx, b)
	if len(found) == 0 {
		found = []Finding{{Verdict: Unknown, Summary: "the detector returned no finding, which is a bug in it"}}
	}
	return found
}

// Exit codes of `netfault detect`, those of node-problem-detector's plugins.
const (
	ExitClean   = 0
	ExitProblem = 1
	ExitUnknown = 2
)

// ExitCode returns ExitProblem if there is any problem, else ExitUnknown if anything is unknown, else ExitClean.
// What is not applicable does not count.
func (r Report) ExitCode() int {
	code := ExitClean
	for _, f := range r.Findings {
		switch f.Verdict {
		case Problem:
			return ExitProblem
		case Unknown:
			code = ExitUnknown
		}
	}
	return code
}
