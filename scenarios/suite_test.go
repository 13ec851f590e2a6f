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
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/lock"
	"github.com/netfault/netfault/framework/report"
	"github.com/netfault/netfault/framework/tools"
	"github.com/netfault/netfault/scenarios"
)

var (
	outDir       = flag.String("out", "", "folder for report.json and the bundles; without it, the suite is skipped")
	labKind      = flag.String("lab", string(labs.Netns), "kind of lab: netns, kind or auto")
	kubeProxy    = flag.String("kube-proxy", string(lab.IPTables), "rules that kube-proxy writes: iptables, or on a kind cluster nftables")
	flannelRules = flag.String("flannel-rules", string(lab.IPTables), "rules that flanneld writes: iptables, or on a kind cluster nftables")
	record       = flag.Bool("record", false, "make fixtures of the bundles of scenarios that passed")
	keep         = flag.Bool("keep", false, "stop at the first failure, and keep the lab as it is then")
)

// theLab is shared by all scenarios that can run on it, so that each must leave it as it was. Its pods hang on cni0.
var theLab *lock.Held

// chosen is the kind of lab that the suite runs on.
var chosen labs.Kind

// made are the labs, each made when the first scenario needs it.
var made = map[labs.Flavour]*lock.Held{}

// flavours are those that the suite may have made.
func flavours() []labs.Flavour {
	var all []labs.Flavour
	for _, pods := range lab.Attachments {
		all = append(all, labs.Flavour{Pods: pods, Flannel: tools.FlannelVersion()})
	}
	for _, s := range scenarios.All() {
		if f := flavourFor(s); !slices.Contains(all, f) {
			all = append(all, f)
		}
	}
	return all
}

// Names of the entries that specs add to Ginkgo's report, from which report.json is made: a process that shares the suite with
// others knows its own specs alone.
const (
	scenarioEntry = "scenario" // a scenarioReport
	labEntry      = "lab"      // a labReport
	pageEntry     = "page"     // a page.Life, for report.html
)

// labReport says how long a lab took to come up.
type labReport struct {
	Flavour string
	Seconds float64
}

type scenarioReport struct {
	Scenario string `json:"scenario"`
	Detector string `json:"detector"`
	OK       bool   `json:"ok"`
	// Remedy is the name of the finding's other remedy that was run, if not the first.
	Remedy  string `json:"remedy,omitempty"`
	Lab     string `json:"lab"`
	Flannel string `json:"flannel"`
	// KubeProxy are the rules that kube-proxy writes.
	KubeProxy string `json:"kubeProxy"`
	Pods      string `json:"pods"`
	Docker    string `json:"docker,omitempty"`
	Skipped   string `json:"skipped,omitempty"`
	// Plan lists all steps; Steps has those that were run.
	Plan  []fault.Step   `json:"plan"`
	Steps []fault.Result `json:"steps"`
}

func TestScenarios(t *testing.T) {
	if *outDir == "" {
		t.Skip("the scenarios run on a lab: make e2e")
	}
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute) // a second is nothing on a machine that has other work
	suite, reporter := GinkgoConfiguration()
	suite.LabelFilter = everyday(suite.LabelFilter)
	suite.FailFast = suite.FailFast || *keep
	RunSpecs(t, "netfault scenarios", suite, reporter)
}

// killLabels are those of specs that kill netfault on labs of their own.
var killLabels = []string{"sigkill", "chaos"}

// ownLabs are the labels of specs that make labs of their own, since they end netfault or break the lab itself, or since what they
// test makes labs.
var ownLabs = append([]string{"signals", "broken", "gate", "sites", "train", "train-kind", "ways"}, killLabels...)

// anyLab is the label of tests of the harness that run on a kind cluster, too.
const anyLab = "any-lab"

var console = report.NewConsole(os.Stdout)

// before is what the first process recorded before any lab was made.
var before ownNetwork

var _ = SynchronizedBeforeSuite(func(ctx context.Context) {
	if chosen == labs.Netns {
		var err error
		before, err = recordOwnNetwork(ctx)
		Expect(err).NotTo(HaveOccurred())
	}
}, func() {})

// Each process removes its labs, and the first waits for the others before it looks at what is left.
var _ = SynchronizedAfterSuite(func(ctx context.Context) {
	for _, f := range flavours() {
		if l, up := made[f]; up && toKeep != nil && l.Name() == toKeep.Name() {
			keepLab(toKeep)
			continue
		}
		// Removing what was never made is no error.
		found := labs.Found{Kind: chosen, Name: labName(f)}
		Expect(found.Remove(ctx)).To(Succeed())
		Expect(suitesLabs(ctx)).NotTo(ContainElement(found))
	}
}, func(ctx context.Context) {
	if chosen == labs.Netns {
		before.expectUnchanged(ctx)
	}
})

// labPrefix begins the names of the labs that the suite shares among its specs. They end with its process ID.
const labPrefix = "e2e-"

func labName(f labs.Flavour) string { return ownName(f.LabName(labPrefix)) }

// flavourFor is that of a lab of the chosen kind for the scenario.
func flavourFor(s fault.Scenario) labs.Flavour { return labs.FlavourFor(chosen, s.Pods, s.Flannel) }

// labWith returns the suite's lab of that flavour, which it makes if need be.
func labWith(ctx context.Context, f labs.Flavour) *lock.Held {
	if l, ok := made[f]; ok {
		return l
	}
	begun := time.Now()
	o := labs.Options{
		Kind: chosen, Name: labName(f), Flannel: f.Flannel, Pods: f.Pods, KubeProxy: lab.Rules(*kubeProxy), FlannelRules: lab.Rules(*flannelRules),
		Owned: true, KeepFailed: *keep,
	}
	if chosen == labs.KIND {
		o.Progress = func(step string) {
			_ = tell(fmt.Sprintf("%6.1fs  %s", time.Since(begun).Seconds(), step)) // nothing depends on it
		}
	}
	l, err := holdNew(ctx, o)
	if err != nil {
		Fail(err.Error())
	}
	made[f] = l
	AddReportEntry(labEntry, labReport{f.String(), time.Since(begun).Seconds()}, ReportEntryVisibilityNever)
	docker := ""
	if l.Pods() == lab.DockerBridge {
		docker = ", " + l.Docker()
	}
	fmt.Printf("\nlab %s is up: %s, kube-proxy's %s rules, pods on %s%s, %d nodes (%v)\n",
		l.Name(), l.Flannel(), l.KubeProxy(), f.Pods, docker, len(l.Nodes()), time.Since(begun).Round(time.Millisecond))
	return l
}

// holdNew makes a lab and holds its lock until the suite ends: nobody else changes it.
func holdNew(ctx context.Context, o labs.Options) (*lock.Held, error) {
	l, err := labs.Up(ctx, o)
	if err != nil {
		return nil, err
	}
	return lock.Take(ctx, l)
}

// Steps of a scenario tell about themselves; the other specs are announced here. Those that end netfault by a signal make labs
// of their own.
var _ = BeforeEach(func(ctx context.Context) {
	fmt.Println()
	r := CurrentSpecReport()
	hasOneOf := func(labels []string) bool {
		return slices.ContainsFunc(labels, func(label string) bool { return slices.Contains(r.Labels(), label) })
	}
	if !slices.Contains(r.Labels(), "fault") {
		if chosen == labs.KIND && !hasOneOf(append(slices.Clone(killLabels), anyLab)) {
			Skip("the tests of the harness run on the embedded lab: make e2e LAB=netns")
		}
		fmt.Println(r.FullText())
	}
	if !hasOneOf(ownLabs) {
		theLab = labWith(ctx, labs.FlavourFor(chosen, "", ""))
	}
})

var _ = ReportAfterSuite("report.json", func(r Report) {
	if !r.SuiteSucceeded && r.PreRunStats.SpecsThatWillRun == 0 {
		fmt.Printf("\nFOCUS=%s picks nothing; it takes one of these, with !, && and ||, and those that are not everyday's with \"thorough &&\": %s\n", r.SuiteConfig.LabelFilter, strings.Join(labels(r), " "))
	}
	var results []scenarioReport
	took := map[string]float64{} // the longest where several processes have made one
	for _, spec := range r.SpecReports {
		for _, l := range entries[labReport](spec, labEntry) {
			took[l.Flavour] = max(took[l.Flavour], l.Seconds)
		}
		results = append(results, entries[scenarioReport](spec, scenarioEntry)...)
	}
	data, err := json.MarshalIndent(map[string]any{
		"version": 1, "ok": r.SuiteSucceeded, "seed": r.SuiteConfig.RandomSeed, "seconds": r.RunTime.Seconds(),
		"lab": chosen, "labs": took, "flannel": tools.FlannelVersion(), "scenarios": results,
	}, "", "  ")
	Expect(err).NotTo(HaveOccurred())
	Expect(os.WriteFile(filepath.Join(*outDir, "report.json"), append(data, '\n'), 0o644)).To(Succeed())
	Expect(writePage(r)).To(Succeed())
})

// entries are what a spec has added to the report under a name.
func entries[T any](spec SpecReport, name string) []T {
	GinkgoHelper()
	var all []T
	for _, e := range spec.ReportEntries {
		if e.Name != name {
			continue
		}
		var value T
		data, err := json.Marshal(e.GetRawValue())
		Expect(err).NotTo(HaveOccurred())
		Expect(json.Unmarshal(data, &value)).To(Succeed())
		all = append(all, value)
	}
	return all
}

// labels lists what FOCUS can pick.
func labels(r Report) []string {
	var all []string
	for _, spec := range r.SpecReports {
		all = append(all, spec.Labels()...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
