// The suite over all scenarios. It runs as root on a lab of its own: make e2e.
package scenarios_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/kstate"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lab/netns"
	"github.com/netfault/netfault/framework/report"
	"github.com/netfault/netfault/framework/tools"
)

var (
	outDir      = flag.String("out", "", "folder for report.json and the bundles; without it, the suite is skipped")
	keepBundles = flag.Bool("keep-bundles", false, "keep the bundles of scenarios that passed, too")
)

// theLab is shared by all scenarios, so that each must leave it as it was.
var theLab lab.Lab

// results are written to report.json.
var results []scenarioReport

type scenarioReport struct {
	Scenario string         `json:"scenario"`
	Detector string         `json:"detector"`
	OK       bool           `json:"ok"`
	Skipped  string         `json:"skipped,omitempty"`
	Steps    []fault.Result `json:"steps"`
}

func TestScenarios(t *testing.T) {
	if *outDir == "" {
		t.Skip("the scenarios run on a lab: make e2e")
	}
	RegisterFailHandler(Fail)
	RunSpecs(t, "netfault scenarios")
}

var console = report.NewConsole(os.Stdout)

var _ = BeforeSuite(func(ctx context.Context) {
	name := fmt.Sprintf("e2e-%d", os.Getpid())
	begun := time.Now()
	before, err := kstate.Record(ctx)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx context.Context) {
		after, err := kstate.Record(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(kstate.Diff(before, after)).To(BeEmpty(), "this machine's own network is not what it was")
		Expect(netns.List()).NotTo(ContainElement(name))
	})
	// Registered before the lab is made: removing what was never made is no error.
	DeferCleanup(func(ctx context.Context) {
		begun := time.Now()
		Expect(netns.Remove(ctx, name)).To(Succeed())
		fmt.Printf("lab %s is gone (%v)\n", name, time.Since(begun).Round(time.Millisecond))
	})
	l, err := netns.Up(ctx, netns.Options{Name: name, Flannel: tools.FlannelVersion(), Owned: true})
	if err != nil {
		Fail(err.Error())
	}
	theLab = l
	fmt.Printf("\nlab %s is up: flannel %s, %d nodes (%v)\n", l.Name(), l.Flannel().Version(), len(l.Nodes()), time.Since(begun).Round(time.Millisecond))
})

// Steps of a scenario tell about themselves; the other specs are announced here.
var _ = BeforeEach(func() {
	fmt.Println()
	if r := CurrentSpecReport(); !slices.Contains(r.Labels(), "fault") {
		fmt.Println(r.FullText())
	}
})

var _ = ReportAfterSuite("report.json", func(r Report) {
	if !r.SuiteSucceeded && r.PreRunStats.SpecsThatWillRun == 0 {
		fmt.Printf("\nFOCUS=%s picks nothing; it takes one of these, with !, && and ||: %s\n", r.SuiteConfig.LabelFilter, strings.Join(labels(r), " "))
	}
	data, err := json.MarshalIndent(map[string]any{
		"version": 1, "ok": r.SuiteSucceeded, "seed": r.SuiteConfig.RandomSeed, "seconds": r.RunTime.Seconds(),
		"lab": "netns", "flannel": tools.FlannelVersion(), "scenarios": results,
	}, "", "  ")
	Expect(err).NotTo(HaveOccurred())
	Expect(os.WriteFile(filepath.Join(*outDir, "report.json"), append(data, '\n'), 0o644)).To(Succeed())
})

// labels lists what FOCUS can pick.
func labels(r Report) []string {
	var all []string
	for _, spec := range r.SpecReports {
		all = append(all, spec.Labels()...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
