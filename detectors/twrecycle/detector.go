// Package twrecycle recognises listeners whose kernel drops SYNs for their TCP timestamps, as net.ipv4.tcp_tw_recycle made it.
package twrecycle

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/internal/flannel"
)

var (
	//go:embed README.md
	english string
	//go:embed README.zh.md
	chinese string
)

// The cases, as they stand in Finding.Case.
const (
	// Behaviour: captures show a listener that leaves SYNs unanswered for their timestamps.
	Behaviour = "behaviour"
	// Setting: net.ipv4.tcp_tw_recycle is 1, and no capture shows what it does.
	Setting = "setting"
)

// Detector recognises listeners whose kernel drops SYNs for their TCP timestamps: with net.ipv4.tcp_tw_recycle=1, Linux
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
var Detector = detectors.Detector{
	Name:  "tw-recycle",
	Kind:  detectors.Cause,
	About: "net.ipv4.tcp_tw_recycle drops SYNs of clients that share one address",
	Cases: []detectors.Case{
		{Name: Behaviour, Severity: detectors.Critical, About: "a capture shows a listener that leaves SYNs unanswered for their timestamps"},
		{Name: Setting, Severity: detectors.Critical, About: "the setting is 1, and no capture shows what it does: a warning, unless counters say that SYNs were dropped"},
	},
	Needs: []detectors.Need{
		{File: evidence.InfoFile, Optional: true},
		{File: evidence.LeasesFile, Optional: true},
		{File: evidence.NodesFile, Optional: true},
		{File: detectors.NodeFiles + evidence.AddrFile, Optional: true},
		{File: detectors.NodeFiles + evidence.SysctlFile},
		{File: detectors.NodeFiles + evidence.UnameFile, Optional: true},
		{File: detectors.NodeFiles + evidence.NetstatFile, Optional: true},
		{File: detectors.NodeFiles + evidence.TWRecycleFile, Optional: true},
		{File: detectors.NodeFiles + evidence.CapturesDir + "/*", Optional: true},
	},
	Writeup: detectors.Writeup{English: english, Chinese: chinese},
	Detect:  detect,
}

func detect(ctx context.Context, b *evidence.Bundle) []detectors.Finding {
	var why detectors.Doubts
	cluster := flannel.Of(b)
	doubtNodes(cluster, &why)
	nodes := cluster.Nodes
	settings := make([]setting, len(nodes))
	captured := make([][]capturedTrace, len(nodes))
	flannel.EachNode(ctx, nodes, &why, func(i int, node string) {
		settings[i] = readSetting(b, node)
		captured[i] = traceCaptures(ctx, b, node)
	})
	if ctx.Err() != nil {
		return why.Findings()
	}
	j := judge{b: b, settings: map[string]*setting{}, leases: cluster.Leases, captures: slices.Concat(captured...)}
	for i := range settings {
		j.settings[settings[i].node] = &settings[i]
	}
	found := j.behaviours()
	found = append(found, j.bareSettings(nodes)...)
	j.addDoubts(nodes, &why)
	found = append(found, why.Findings()...)
	if len(found) > 0 {
		return found
	}
	return []detectors.Finding{j.clean(nodes)}
}

// doubtNodes adds to why the nodes that should be there and are not. Leases are not needed, but help to know them.
func doubtNodes(cluster *flannel.Cluster, why *detectors.Doubts) {
	if cluster.NodesErr != nil {
		why.AddError("", cluster.NodesErr)
	} else if len(cluster.Nodes) == 0 {
		why.Add("", detectors.Line{File: "nodes", Text: "no node was collected"})
	}
	if cluster.LeaseErr != nil && cluster.HasLeases() && !errors.Is(cluster.LeaseErr, evidence.ErrIPv6Only) {
		why.AddError("", cluster.LeaseErr)
	}
	cluster.DoubtUncollected(why, "")
}

// clean says what was there and right.
func (j *judge) clean(nodes []string) detectors.Finding {
	judged := map[string]int{"nodes": len(nodes)}
	off, absent := 0, 0
	for _, n := range nodes {
		if j.settings[n].state == settingAbsent {
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
	text := settingKey + ": " + strings.Join(parts, ", ")
	if len(j.captures) > 0 {
		requests := 0
		var cutOff []string
		for i := range j.captures {
			requests += j.captures[i].trace.Requests
			if j.captures[i].cutOff {
				cutOff = append(cutOff, j.captures[i].file())
			}
		}
		judged["captures"], judged["requests"] = len(j.captures), requests
		text += fmt.Sprintf("; none of %d requests in %d captures was dropped for its timestamp", requests, len(j.captures))
		if len(cutOff) > 0 {
			text += fmt.Sprintf("; %d captures are cut off and judged up to there: %s", len(cutOff), strings.Join(cutOff, ", "))
		}
	}
	return detectors.Finding{Verdict: detectors.Clean, Judged: judged, Summary: detectors.OneLine(text)}
}
