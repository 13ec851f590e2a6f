package detectors

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/netfault/netfault/detectors/evidence"
)

// symptom judges the probes of one kind. judge returns clean, not-applicable or problem for one probe, and for a problem
// its summary and values. There is one problem for each pair of ends that has any, in the order of cluster/probes.json;
// right is the summary where there is none, after the number of probes judged.
func symptom(kind, right string, judge func(evidence.Probe) Finding) func(context.Context, *evidence.Bundle) []Finding {
	return func(_ context.Context, b *evidence.Bundle) []Finding {
		probes, err := b.Probes()
		if errors.Is(err, fs.ErrNotExist) {
			return []Finding{{Verdict: NotApplicable, Summary: "no probes were run"}}
		}
		if err != nil {
			var why doubts
			why.add("", unusable("", err))
			return why.findings()
		}
		var found []Finding
		tried, judged := 0, 0
		index := map[[2]string]int{}
		for _, p := range probes {
			if p.Kind != kind {
				continue
			}
			tried++
			f := judge(p)
			if f.Verdict == NotApplicable {
				continue
			}
			judged++
			if f.Verdict == Clean {
				continue
			}
			ends := [2]string{p.From, p.To}
			if i, ok := index[ends]; ok {
				found[i].Evidence = append(found[i].Evidence, probeLine(p))
				continue
			}
			index[ends] = len(found)
			f.Severity, f.Node, f.Peer = Critical, p.From, p.To
			f.Evidence = []Line{probeLine(p)}
			found = append(found, f)
		}
		switch {
		case tried == 0:
			return []Finding{{Verdict: NotApplicable, Summary: fmt.Sprintf("no %s probes were run", kind)}}
		case judged == 0:
			return []Finding{{Verdict: NotApplicable, Summary: fmt.Sprintf("none of %d %s probes tells", tried, kind)}}
		case len(found) == 0:
			return []Finding{{Verdict: Clean, Summary: fmt.Sprintf("%d %s probes: %s", judged, kind, right)}}
		}
		return found
	}
}

// probeLine quotes a probe.
func probeLine(p evidence.Probe) Line {
	text := fmt.Sprintf("%s %s to %s, %s to %s: ", p.Kind, p.From, p.To, p.Source, p.Target)
	if p.OK {
		text += fmt.Sprintf("answered by %q, which saw %s", p.AnsweredBy, p.Seen)
	} else {
		text += reason(p)
	}
	return Line{File: evidence.ProbesFile, Text: oneLine(text)}
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
