package report_test

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/gate"
	"github.com/netfault/netfault/framework/report"
)

// hostile is a result with a stranger's text in it: two cells of one bundle, of which one is wrong and one has no answer.
var hostile = gate.Result{
	Version: gate.ResultVersion, Rounds: 2, Bundles: 1, Detectors: []gate.Score{{Detector: "pod-snat"}, {Detector: "stale-vtep"}},
	Cells: []gate.Cell{
		{
			Bundle: gate.Source{Kind: gate.Scenario, Name: "stale-vtep", Phase: "healthy"}, Detector: "pod-snat", Should: gate.Silence,
			Was: gate.FalseAlarm, Extra: []fault.Subject{{Case: "rule", Node: "n1"}}, Why: "not there: rule on <b>|n1\x01`x` @you",
		},
		{
			Bundle: gate.Source{Kind: gate.Scenario, Name: "stale-vtep", Phase: "healthy"}, Detector: "stale-vtep", Should: gate.Silence,
			Was: gate.Error, Why: "it ended with exit status 3",
		},
	},
	Skipped:   []gate.Absence{{Bundle: gate.Source{Kind: "kind", Name: "stale-arp"}, Why: "it needs flannel v0.7.1"}},
	Unreached: []gate.Absence{{Bundle: gate.Source{Kind: "kind", Name: "stale-vtep", Phase: "healed"}, Why: "there is no remedy to run"}},
	Remedied: []gate.Remedied{
		{Bundle: gate.Source{Kind: "netns", Name: "stale-vtep", Phase: "remedy"}, Was: gate.Damage, Gone: []string{"n2: link <b>cni0"}},
		{Bundle: gate.Source{Kind: "netns", Name: "tw-recycle", Phase: "remedy"}, Was: gate.NoRemedy},
	},
	Confusions: []gate.Confusion{{Took: gate.Nothing, Reported: "pod-snat/rule", Count: 1}},
	Differing: []gate.Differing{{
		Bundle: gate.Source{Kind: gate.Scenario, Name: "stale-vtep", Phase: "healthy"}, Detector: "pod-snat", Was: []string{"silence", "false alarm"},
	}},
}

// What a stranger says does not become a part of the page.
func TestGateMarkdownIsSafe(t *testing.T) {
	var out strings.Builder
	report.GateMarkdown(&out, hostile)
	for _, bad := range []string{"<b>", "`x`", "@you", "on |n1"} {
		if strings.Contains(out.String(), bad) {
			t.Errorf("it has %q:\n%s", bad, out.String())
		}
	}
	for _, want := range []string{
		"0 of 2 cells are as they should be in the first of 2 rounds, and 1 differ", "1 false alarm, 1 error", "took nothing for pod-snat/rule: 1",
		"| scenario stale-vtep healthy | **false alarm** | **error** |", "silence, then false alarm",
		"stale-vtep: healed with damage; gone: n2: link &lt;b>cni0", "tw-recycle: no remedy",
		"kind stale-vtep healed: there is no remedy to run", "kind stale-arp: it needs flannel v0.7.1",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it lacks %q:\n%s", want, out.String())
		}
	}
}

func TestGateJUnit(t *testing.T) {
	var out bytes.Buffer
	if err := report.GateJUnit(&out, hostile); err != nil {
		t.Fatal(err)
	}
	var read struct {
		Suites []struct {
			Name     string `xml:"name,attr"`
			Tests    int    `xml:"tests,attr"`
			Failures int    `xml:"failures,attr"`
			Errors   int    `xml:"errors,attr"`
			Skipped  int    `xml:"skipped,attr"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(out.Bytes(), &read); err != nil {
		t.Fatalf("%v:\n%s", err, out.String())
	}
	if len(read.Suites) != 4 || read.Suites[0].Tests != 2 || read.Suites[0].Failures != 1 || read.Suites[0].Errors != 1 || read.Suites[3].Failures != 1 {
		t.Errorf("%+v", read.Suites)
	}
	if remedies := read.Suites[1]; remedies.Tests != 2 || remedies.Failures != 1 {
		t.Errorf("%+v", remedies)
	}
	if unreached := read.Suites[2]; unreached.Tests != 2 || unreached.Errors != 1 || unreached.Skipped != 1 {
		t.Errorf("%+v", unreached)
	}
}
