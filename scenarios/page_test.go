package scenarios_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/report/page"
	"github.com/netfault/netfault/framework/tools"
)

// pageOf puts together what report.html shows of a life, with the evidence that is in a folder.
func pageOf(ctx context.Context, entry scenarioReport, s fault.Scenario, bundles string) page.Life {
	l := page.Life{
		Name: s.Name, Summary: s.Summary, OK: entry.OK, Skipped: entry.Skipped, Plan: entry.Plan, Steps: entry.Steps, Writeup: s.Writeup,
		Facts: []page.Fact{
			{Name: "detector", Value: entry.Detector}, {Name: "lab", Value: entry.Lab}, {Name: "flannel", Value: entry.Flannel},
			{Name: "kube-proxy", Value: entry.KubeProxy}, {Name: "pods on", Value: entry.Pods},
		},
	}
	if entry.Docker != "" {
		l.Facts = append(l.Facts, page.Fact{Name: "docker", Value: entry.Docker})
	}
	if entry.Remedy != "" {
		l.Name += ", " + entry.Remedy
		l.Writeup = detectors.Writeup{} // it stands with the life of the first remedy
	}
	if entry.Skipped != "" {
		return l
	}
	l.Healthy = judgedBundle(ctx, filepath.Join(bundles, "healthy"), nil)
	l.Faulty = judgedBundle(ctx, filepath.Join(bundles, "faulty"), all.Detectors())
	l.Healed = judgedBundle(ctx, filepath.Join(bundles, "healed"), nil)
	return l
}

// judgedBundle is nil for a bundle that was not taken.
func judgedBundle(ctx context.Context, dir string, dets []detectors.Detector) *page.Judged {
	if _, err := os.Stat(dir); err != nil {
		return nil
	}
	b, err := evidence.Open(dir)
	if err != nil {
		return nil
	}
	defer b.Close()
	return page.Judge(dir, b, detectors.Run(ctx, b, dets))
}

// writePage writes report.html.
func writePage(r Report) error {
	p := page.Page{
		Title: fmt.Sprintf("netfault e2e on %s", chosen), OK: r.SuiteSucceeded,
		Facts: []page.Fact{
			{Name: "begun", Value: r.StartTime.UTC().Format(time.RFC3339)}, {Name: "took", Value: r.RunTime.Round(time.Second).String()},
			{Name: "flannel", Value: tools.FlannelVersion()}, {Name: "seed", Value: fmt.Sprint(r.SuiteConfig.RandomSeed)},
		},
	}
	passed, failed := 0, 0
	for _, spec := range r.SpecReports {
		p.Lives = append(p.Lives, entries[page.Life](spec, pageEntry)...)
		switch {
		case spec.Failed():
			failed++
			if !slices.Contains(spec.Labels(), "fault") {
				p.Failures = append(p.Failures, page.Failure{
					Name: cmp.Or(strings.TrimSpace(spec.FullText()), spec.LeafNodeType.String()), Message: spec.FailureMessage(),
				})
			}
		case spec.State == types.SpecStatePassed && spec.LeafNodeType == types.NodeTypeIt:
			passed++
		}
	}
	// Specs run in random order.
	slices.SortFunc(p.Lives, func(a, b page.Life) int { return strings.Compare(a.Name, b.Name) })
	p.Verdict = fmt.Sprintf("%d steps and tests passed, %d failed", passed, failed)
	f, err := os.Create(filepath.Join(*outDir, "report.html"))
	if err != nil {
		return err
	}
	return errors.Join(page.Write(f, p), f.Close())
}
