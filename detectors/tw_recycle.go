package detectors

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors/evidence"
)

// The cases of TWRecycle, as they stand in Finding.Case.
const (
	// RecycleBehaviour: captures show a listener that leaves SYNs unanswered for their timestamps.
	RecycleBehaviour = "behaviour"
	// RecycleSetting: net.ipv4.tcp_tw_recycle is 1, and no capture shows what it does.
	RecycleSetting = "setting"
)

// TWRecycle recognises listeners whose kernel drops SYNs for their TCP timestamps: with net.ipv4.tcp_tw_recycle=1, Linux
// before 4.12 requires that the timestamps of one source address never run backwards (tcp_peer_is_proven() in
// net/ipv4/tcp_metrics.c), so that of several clients behind one translated address only the one with the newest clock
// gets through.
//
//   - Captures alone suffice, since the setting may be far away, or in another network namespace: see package recycle for
//     the rule.
//   - The setting alone is a problem, too. It is a warning as long as nothing shows that SYNs were dropped.
//   - A kernel that has no such setting is immune, which only a whole sysctl.txt or the kernel's release tells.
//   - What stands in for the setting, as on a lab (evidence.TWRecycle), counts as the setting itself.
//
// It reads captures as streams and keeps what goes on in them within about a minute.
var TWRecycle = register(Detector{
	Name:   "tw-recycle",
	Kind:   Cause,
	About:  "net.ipv4.tcp_tw_recycle drops SYNs of clients that share one address",
	Detect: detectTWRecycle,
})

func detectTWRecycle(ctx context.Context, b *evidence.Bundle) []Finding {
	var why doubts
	nodes, leases := recycleNodes(b, &why)
	settings := make([]recycleSetting, len(nodes))
	captured := make([][]capturedTrace, len(nodes))
	parallel(len(nodes), func(_, i int) {
		if ctx.Err() == nil {
			settings[i] = readRecycleSetting(b, nodes[i])
			captured[i] = traceCaptures(ctx, b, nodes[i])
		}
	})
	if err := ctx.Err(); err != nil {
		why.add("", Line{File: "nodes", Text: "stopped: " + err.Error()})
		return why.findings()
	}
	j := recycleJudge{b: b, settings: map[string]*recycleSetting{}, leases: leases, captures: slices.Concat(captured...)}
	for i := range settings {
		j.settings[settings[i].node] = &settings[i]
	}
	found := j.behaviours()
	found = append(found, j.bareSettings(nodes)...)
	j.addDoubts(nodes, &why)
	found = append(found, why.findings()...)
	if len(found) > 0 {
		return found
	}
	return []Finding{{Verdict: Clean, Summary: j.cleanSummary(nodes)}}
}

// recycleNodes returns the nodes that were collected, and the leases if there are any. A node that has a lease and was not
// collected is a doubt.
func recycleNodes(b *evidence.Bundle, why *doubts) (nodes []string, leases []evidence.Lease) {
	nodes, err := b.Nodes()
	if err != nil {
		why.add("", unusable("", err))
	} else if len(nodes) == 0 {
		why.add("", Line{File: "nodes", Text: "no node was collected"})
	}
	leases, err = b.Leases()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		why.add("", unusable("", err))
	}
	for _, l := range leases {
		if !slices.Contains(nodes, l.Node) {
			why.add(l.Node, Line{File: path.Join("nodes", l.Node), Text: l.Node + " has a lease, but no folder in the bundle"})
		}
	}
	return nodes, leases
}

// cleanSummary says what was there and right.
func (j *recycleJudge) cleanSummary(nodes []string) string {
	off, absent := 0, 0
	for _, n := range nodes {
		if j.settings[n].state == recycleAbsent {
			absent++
		} else {
			off++
		}
	}
	var parts []string
	if absent > 0 {
		parts = append(parts, fmt.Sprintf("the kernel has no such setting on %d nodes", absent))
	}
	if off > 0 {
		parts = append(parts, fmt.Sprintf("it is 0 on %d", off))
	}
	text := recycleKey + ": " + strings.Join(parts, ", ")
	if len(j.captures) > 0 {
		requests := 0
		var cutOff []string
		for i := range j.captures {
			requests += j.captures[i].trace.Requests
			if j.captures[i].cutOff {
				cutOff = append(cutOff, j.captures[i].file())
			}
		}
		text += fmt.Sprintf("; none of %d requests in %d captures was dropped for its timestamp", requests, len(j.captures))
		if len(cutOff) > 0 {
			text += fmt.Sprintf("; %d captures are cut off and judged up to there: %s", len(cutOff), strings.Join(cutOff, ", "))
		}
	}
	return oneLine(text)
}
