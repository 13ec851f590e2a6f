package detectors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/netfault/netfault/detectors/evidence"
)

// ReportVersion is the version of the report's JSON, see docs/FINDINGS.md.
const ReportVersion = 2

// Report is what detectors found in one bundle.
type Report struct {
	Version int `json:"version"`
	// StandIns are what played the part of something real where the bundle comes from, such as "a stand-in for flanneld v0.7.1".
	StandIns []string `json:"standIns,omitempty"`
	// Unexplained are the IDs of the symptoms that no problem of a cause explains.
	Unexplained []string `json:"unexplained,omitempty"`
	// Common says in one line what all of the unexplained have in common; it is empty if that is nothing.
	Common string `json:"common,omitempty"`
	// Suppressions are those that were given, with what became of each.
	Suppressions []Suppression `json:"suppressions,omitempty"`
	Findings     []Finding     `json:"findings"`

	// tried are the connections that the bundle's probes tried, if there is anything unexplained.
	tried map[call]bool
}

// Run judges b by each of dets in turn. The findings stand in that order, each named after its detector. A bundle.json
// that cannot be read or is of another layout version makes every detector unknown; a bundle without one is judged. So
// does a detector that panics, finds nothing to say, or calls clean what it did not look at make itself unknown: a fault of
// the program is no clean cluster.
func Run(ctx context.Context, b *evidence.Bundle, dets []Detector) Report {
	report := Report{Version: ReportVersion, Findings: []Finding{}}
	info, infoErr := b.Info()
	report.StandIns = standIns(b, info)
	for _, d := range dets {
		var found []Finding
		if infoErr != nil && !errors.Is(infoErr, fs.ErrNotExist) {
			var why Doubts
			why.Add("", Unreadable(evidence.InfoFile, infoErr))
			found = why.Findings()
		} else {
			found = detect(ctx, b, d)
		}
		for _, f := range found {
			f.Detector = d.Name
			f.name()
			report.Findings = append(report.Findings, f)
		}
	}
	numberLines(b, report.Findings)
	report.explain(dets)
	if len(report.Unexplained) > 0 {
		report.tried = calls(b)
		report.setCommon()
	}
	return report
}

// detect calls d.Detect and turns what must not be into an unknown finding.
func detect(ctx context.Context, b *evidence.Bundle, d Detector) (found []Finding) {
	bug := func(format string, args ...any) []Finding {
		return []Finding{{Verdict: Unknown, Summary: OneLine(fmt.Sprintf(format, args...) + ", which is a bug in it")}}
	}
	defer func() {
		if p := recover(); p != nil {
			found = bug("the detector panicked: %v", p)
		}
	}()
	if ctx.Err() != nil {
		return []Finding{{Verdict: Unknown, Summary: "stopped before it began: " + context.Cause(ctx).Error()}}
	}
	found = d.Detect(ctx, b)
	if len(found) == 0 {
		return bug("the detector returned no finding")
	}
	for _, f := range found {
		if _, declared := d.CaseNamed(f.Case); f.Verdict == Problem && !declared {
			return bug("the detector reports a case that it does not declare: %q", f.Case)
		}
		if f.Verdict == Clean && nothing(f.Judged) {
			return bug("the detector judged nothing, and says that it is clean")
		}
	}
	return found
}

func nothing(judged map[string]int) bool {
	for _, n := range judged {
		if n > 0 {
			return false
		}
	}
	return true
}

// numberLines sets the numbers of the lines that findings quote. A place whose file cannot be read again has none.
func numberLines(b *evidence.Bundle, found []Finding) {
	quoted := map[string][]*Line{}
	for i := range found {
		for j := range found[i].Evidence {
			if l := &found[i].Evidence[j]; l.At > 0 {
				quoted[l.File] = append(quoted[l.File], l)
			}
		}
	}
	for file, lines := range quoted {
		at := make([]evidence.Pos, len(lines))
		for i, l := range lines {
			at[i] = l.At
		}
		numbers, err := b.LineNumbers(file, at)
		if err != nil {
			continue
		}
		for i, l := range lines {
			l.Line = numbers[i]
		}
	}
}

// explain joins problems of causes with what follows from them.
func (r *Report) explain(dets []Detector) {
	kinds := map[string]Kind{}
	for _, d := range dets {
		kinds[d.Name] = d.Kind
	}
	explained := map[string]bool{}
	for i := range r.Findings {
		f := &r.Findings[i]
		patterns := f.Explains
		f.Explains = nil
		if f.Verdict != Problem || kinds[f.Detector] != Cause {
			continue
		}
		for j := range r.Findings {
			o := &r.Findings[j]
			if i == j || o.Verdict != Problem {
				continue
			}
			named := slices.ContainsFunc(patterns, func(p string) bool { return matchID(p, o.ID) })
			if named || kinds[o.Detector] == Symptom && f.breaks(o) {
				f.Explains = append(f.Explains, o.ID)
				explained[o.ID] = true
			}
		}
	}
	for _, f := range r.Findings {
		if f.Verdict == Problem && kinds[f.Detector] == Symptom && !explained[f.ID] {
			r.Unexplained = append(r.Unexplained, f.ID)
		}
	}
}

// Exit codes of `netfault detect`. The first three are those of node-problem-detector's plugins.
const (
	ExitClean   = 0
	ExitProblem = 1
	ExitUnknown = 2
	// ExitUsage is that of a command that was written wrongly (EX_USAGE in sysexits.h).
	ExitUsage = 64
)

// FailOn says from what on a report is a failure.
type FailOn string

// Each of them counts what the ones before it count, too.
const (
	FailNever      FailOn = "never"
	FailOnCritical FailOn = "critical"
	FailOnProblem  FailOn = "problem"
	FailOnUnknown  FailOn = "unknown"
)

// FailOns are all of them.
var FailOns = []FailOn{FailOnUnknown, FailOnProblem, FailOnCritical, FailNever}

// ExitCode returns ExitProblem if there is a problem that counts, else ExitUnknown if anything is unknown and that counts,
// else ExitClean. What is not applicable or suppressed does not count.
func (r Report) ExitCode(on FailOn) int {
	code := ExitClean
	for _, f := range r.Findings {
		switch {
		case f.Suppressed != nil:
		case f.Verdict == Problem && (on == FailOnUnknown || on == FailOnProblem || on == FailOnCritical && f.Severity == Critical):
			return ExitProblem
		case f.Verdict == Unknown && on == FailOnUnknown:
			code = ExitUnknown
		}
	}
	return code
}

// Sorted returns detectors in the order of reports: causes before symptoms, each sorted by name.
func Sorted(dets []Detector) []Detector {
	return slices.SortedFunc(slices.Values(dets), func(a, b Detector) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
}
