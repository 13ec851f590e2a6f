// Package probes is what the detectors of symptoms have in common: they read cluster/probes.json.
package probes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
)

// Symptom is what a detector of a symptom looks for.
type Symptom struct {
	// Kind is that of the probes.
	Kind string
	// Case is the name of the only case.
	Case   string
	Effect detectors.Effect
	// Right is the summary where there is no problem, after the number of probes judged.
	Right string
	// Judge returns clean, not-applicable or problem for one probe, and for a problem its summary and values.
	Judge func(evidence.Probe) detectors.Finding
}

// Needs are the files that every detector of a symptom reads.
var Needs = []detectors.Need{{File: evidence.InfoFile, Optional: true}, {File: evidence.ProbesFile, Optional: true}}

// Detect judges the probes of one kind. There is one problem for each pair of ends that has any, in the order of
// cluster/probes.json.
func (s Symptom) Detect(_ context.Context, b *evidence.Bundle) []detectors.Finding {
	probes, err := b.Probes()
	if errors.Is(err, fs.ErrNotExist) {
		return []detectors.Finding{{Verdict: detectors.NotApplicable, Summary: "no probes were run"}}
	}
	if err != nil {
		var why detectors.Doubts
		why.AddError("", err)
		return why.Findings()
	}
	var found []detectors.Finding
	var missed untried
	tried, judged := 0, 0
	index := map[[2]string]int{}
	for _, p := range probes {
		if p.Kind != s.Kind {
			continue
		}
		tried++
		if p.Untried {
			missed.add(p)
			continue
		}
		f := s.Judge(p)
		if f.Verdict == detectors.NotApplicable {
			continue
		}
		judged++
		if f.Verdict == detectors.Clean {
			continue
		}
		ends := [2]string{p.From, p.To}
		if i, ok := index[ends]; ok {
			found[i].Evidence = append(found[i].Evidence, quote(p))
			continue
		}
		index[ends] = len(found)
		f.Case, f.Severity, f.Node, f.Peer = s.Case, detectors.Critical, p.From, p.To
		f.Breaks = []detectors.Breakage{{Kinds: []string{s.Kind}, Effect: s.Effect, From: p.From, To: p.To}}
		f.Evidence = []detectors.Line{quote(p)}
		found = append(found, f)
	}
	switch {
	case tried == 0:
		return []detectors.Finding{{Verdict: detectors.NotApplicable, Summary: fmt.Sprintf("no %s probes were run", s.Kind)}}
	case len(missed) > 0:
		return append(found, missed.findings(s.Kind)...)
	case judged == 0:
		return []detectors.Finding{{Verdict: detectors.NotApplicable, Summary: fmt.Sprintf("none of %d %s probes tells", tried, s.Kind)}}
	case len(found) == 0:
		return []detectors.Finding{{
			Verdict: detectors.Clean, Judged: map[string]int{"probes": judged},
			Summary: fmt.Sprintf("%d %s probes: %s", judged, s.Kind, s.Right),
		}}
	}
	return found
}

// untried are the probes that were not tried, by the reason for that, in the order in which each reason is met first.
type untried []missedProbes

type missedProbes struct {
	first evidence.Probe
	// from is the node that all of them are from, if it is one.
	from  string
	count int
}

func (u *untried) add(p evidence.Probe) {
	for i := range *u {
		m := &(*u)[i]
		if m.first.Error != p.Error {
			continue
		}
		m.count++
		if m.from != p.From {
			m.from = ""
		}
		return
	}
	*u = append(*u, missedProbes{first: p, from: p.From, count: 1})
}

func (u *untried) findings(kind string) []detectors.Finding {
	var why detectors.Doubts
	for _, m := range *u {
		of := ""
		if m.from != "" {
			of = " of " + m.from
		}
		why.Add(m.from, detectors.Line{File: evidence.ProbesFile, At: m.first.Pos,
			Text: detectors.OneLine(fmt.Sprintf("%d %s probes%s were not tried: %s", m.count, kind, of, reason(m.first)))})
	}
	return why.Findings()
}

// Unanswered is the case of all detectors that look for answers.
const Unanswered = "no-answer"

// Reachability is the detector of the symptom that probes of a kind get no answer; failed is the summary, with a %s for each
// end.
func Reachability(kind, about, failed string, w detectors.Writeup) detectors.Detector {
	return detectors.Detector{
		Name:  kind + "-reachability",
		Kind:  detectors.Symptom,
		About: about,
		Cases: []detectors.Case{
			{Name: Unanswered, Severity: detectors.Critical, About: "a probe got no answer, or not that of the server it was for"},
		},
		Needs:   Needs,
		Writeup: w,
		Detect:  unanswered(kind, failed).Detect,
	}
}

func unanswered(kind, failed string) Symptom {
	return Symptom{
		Kind: kind, Case: Unanswered, Effect: detectors.Lost, Right: "all were answered",
		Judge: func(p evidence.Probe) detectors.Finding {
			if p.OK {
				return detectors.Finding{Verdict: detectors.Clean}
			}
			return detectors.Finding{
				Verdict:  detectors.Problem,
				Summary:  detectors.OneLine(fmt.Sprintf(failed, p.From, p.To) + ": " + reason(p)),
				Expected: "an answer",
				Actual:   detectors.OneLine(reason(p)),
			}
		},
	}
}

// quote quotes a probe.
func quote(p evidence.Probe) detectors.Line {
	text := fmt.Sprintf("%s %s to %s, %s to %s: ", p.Kind, p.From, p.To, p.Source, p.Target)
	if p.OK {
		text += fmt.Sprintf("answered by %q, which saw %s", p.AnsweredBy, p.Seen)
	} else {
		text += reason(p)
	}
	return detectors.Line{File: evidence.ProbesFile, At: p.Pos, Text: detectors.OneLine(text)}
}

// reason says why a probe failed.
func reason(p evidence.Probe) string {
	switch {
	case p.Error != "":
		return p.Error
	case p.AnsweredBy != "":
		return fmt.Sprintf("answered by %q", p.AnsweredBy)
	default:
		return "no answer"
	}
}
