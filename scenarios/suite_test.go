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

// theLab is shared by all scenarios that can run on it, so that each must leave it as it was. Its pods hang on cni0.
var theLab lab.Lab

// labs are made when the first scenario needs one, by how their pods hang on the nodes.
var labs = map[lab.Attachment]lab.Lab{}

// results are written to report.json.
var results []scenarioReport

type scenarioReport struct {
	Scenario string `json:"scenario"`
	Detector string `json:"detector"`
	OK       bool   `json:"ok"`
	// Remedy is the name of the finding's other remedy that was run, if not the first.
	Remedy  string         `json:"remedy,omitempty"`
	Lab     string         `json:"lab"`
	Pods    string         `json:"pods"`
	Docker  string         `json:"docker,omitempty"`
	Skipped string         `json:"skipped,omitempty"`
	Steps   []fault.Result `json:"steps"`
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
	before, err := kstate.Record(ctx)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx context.Context) {
		after, err := kstate.Record(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(kstate.Diff(before, after)).To(BeEmpty(), "this machine's own network is not what it was")
		for _, pods := range lab.Attachments {
			Expect(netns.List()).NotTo(ContainElement(labName(pods)))
		}
	})
	// Registered before any lab is made: removing what was never made is no error.
	DeferCleanup(func(ctx context.Context) {
		for _, pods := range lab.Attachments {
			Expect(netns.Remove(ctx, labName(pods))).To(Succeed())
		}
	})
	theLab = labWith(ctx, lab.CNIBridge)
})

func labName(pods lab.Attachment) string { return fmt.Sprintf("e2e-%s-%d", pods, os.Getpid()) }

// labWith returns the suite's lab with pods that hang like this, which it makes if need be.
func labWith(ctx context.Context, pods lab.Attachment) lab.Lab {
	if pods == "" {
		pods = lab.CNIBridge
	}
	if l, ok := labs[pods]; ok {
		return l
	}
	begun := time.Now()
	l, err := netns.Up(ctx, netns.Options{Name: labName(pods), Flannel: tools.FlannelVersion(), Pods: pods, Owned: true})
	if err != nil {
		Fail(err.Error())
	}
	labs[pods] = l
	docker := ""
	if l.Docker() != "" {
		docker = ", " + l.Docker()
	}
	fmt.Printf("\nlab %s is up: flannel %s, pods on %s%s, %d nodes (%v)\n",
		l.Name(), l.Flannel().Version(), pods, docker, len(l.Nodes()), time.Since(begun).Round(time.Millisecond))
	return l
}

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
