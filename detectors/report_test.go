package detectors_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
)

// says is a detector that finds what it is told to.
func says(name string, kind detectors.Kind, found ...detectors.Finding) detectors.Detector {
	return detectors.Detector{
		Name: name, Kind: kind, Cases: []detectors.Case{{Name: "broken", Severity: detectors.Critical}},
		Detect: func(context.Context, *evidence.Bundle) []detectors.Finding { return found },
	}
}

// problem is a problem between two nodes.
func problem(node, peer string, breaks ...detectors.Breakage) detectors.Finding {
	return detectors.Finding{
		Verdict: detectors.Problem, Severity: detectors.Critical, Case: "broken", Node: node, Peer: peer, Summary: "it is broken", Breaks: breaks,
	}
}

// lost is one probe of pods that failed.
func lost(from, to string) detectors.Breakage {
	return detectors.Breakage{Kinds: []string{evidence.ProbePod}, Effect: detectors.Lost, From: from, To: to}
}

func bundle(files map[string]string) *evidence.Bundle {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return evidence.New(fsys)
}

func run(dets ...detectors.Detector) detectors.Report {
	return detectors.Run(context.Background(), bundle(nil), dets)
}

func TestReportJSON(t *testing.T) {
	f := problem("n2", "n1", lost("n2", "n1"))
	f.Expected, f.Actual = "a", "b"
	f.Evidence = []detectors.Line{{File: "x.json", At: 4, Text: "second"}, {File: "x.json", Text: "no third"}}
	f.Remedy = []detectors.Command{{Node: "n2", Argv: []string{"ip", "link"}, Why: "it looks"}}
	b := bundle(map[string]string{"x.json": "[1\n,2]\n"})
	got, err := json.Marshal(detectors.Run(context.Background(), b, []detectors.Detector{
		says("cause", detectors.Cause, f),
		says("quiet", detectors.Symptom, detectors.Finding{Verdict: detectors.Clean, Summary: "fine", Judged: map[string]int{"nodes": 3}}),
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"version":2,"findings":[
{"id":"cause/broken/n2/n1","fingerprint":"39f39ad7841b","detector":"cause","verdict":"problem","severity":"critical","case":"broken",
"node":"n2","peer":"n1","summary":"it is broken","expected":"a","actual":"b",
"breaks":[{"kinds":["pod"],"effect":"lost","from":"n2","to":"n1"}],
"evidence":[{"file":"x.json","line":2,"text":"second"},{"file":"x.json","text":"no third"}],
"remedy":[{"node":"n2","argv":["ip","link"],"why":"it looks"}]},
{"id":"quiet/clean/-/-","fingerprint":"c99163f8f2cc","detector":"quiet","verdict":"clean","summary":"fine","judged":{"nodes":3}}]}`
	if want = strings.ReplaceAll(want, "\n", ""); string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What is not real where the evidence comes from is part of the report, whatever is found.
func TestRunTellsStandIns(t *testing.T) {
	entry := `{"source":"emulated (Linux 6.18 has no such setting)","semantics":"4.x","value":0,"scope":"pod"}`
	b := bundle(map[string]string{
		"bundle.json":               `{"version":1,"standIns":["a stand-in for\nflanneld v0.7.1"]}`,
		"nodes/n1/tw-recycle.json":  "[" + entry + "," + entry + "]",
		"nodes/n2/tw-recycle.json":  "[" + entry + "]",
		"nodes/n3/tw-recycle.json":  "[",
		"nodes/n4/ip-link.json":     "[]",
		"nodes/old/tw-recycle.json": `[{"source":"native","semantics":"el7","value":1,"scope":"pod"}]`,
		"nodes/old/ip-link.json":    "[]",
	})
	got, err := json.Marshal(detectors.Run(context.Background(), b, nil))
	want := `{"version":2,"standIns":["a stand-in for flanneld v0.7.1","tcp_tw_recycle, emulated (Linux 6.18 has no such setting)"],"findings":[]}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestRunOfNothing(t *testing.T) {
	got, err := json.Marshal(run())
	if err != nil || string(got) != `{"version":2,"findings":[]}` {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestRunTurnsFaultsOfDetectorsIntoUnknown(t *testing.T) {
	panics := says("panics", detectors.Cause)
	panics.Detect = func(context.Context, *evidence.Bundle) []detectors.Finding { panic("index out of\nrange") }
	undeclared := problem("n1", "")
	undeclared.Case = "unheard-of"
	report := run(panics, says("silent", detectors.Cause), says("undeclared", detectors.Cause, undeclared),
		says("idle", detectors.Cause, detectors.Finding{Verdict: detectors.Clean, Judged: map[string]int{"nodes": 0}}),
		says("well", detectors.Cause, problem("n1", "")))
	var got []string
	for _, f := range report.Findings {
		got = append(got, f.Detector+" "+string(f.Verdict)+": "+f.Summary)
	}
	want := []string{
		"panics unknown: the detector panicked: index out of range, which is a bug in it",
		"silent unknown: the detector returned no finding, which is a bug in it",
		`undeclared unknown: the detector reports a case that it does not declare: "unheard-of", which is a bug in it`,
		"idle unknown: the detector judged nothing, and says that it is clean, which is a bug in it",
		"well problem: it is broken",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestRunStops(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("the deadline of the test"))
	f := detectors.Run(ctx, bundle(nil), []detectors.Detector{says("d", detectors.Cause, problem("n1", ""))}).Findings[0]
	if f.Verdict != detectors.Unknown || !strings.Contains(f.Summary, "the deadline of the test") {
		t.Errorf("got %s: %s", f.Verdict, f.Summary)
	}
}

func TestBundleInfo(t *testing.T) {
	for text, want := range map[string]detectors.Verdict{
		"":                                 detectors.Problem,
		`{"version":1}`:                    detectors.Problem,
		`{"version":1,"futureField":true}`: detectors.Problem,
		`{"version":1,"nodes":["n1"]}`:     detectors.Problem,
		`{"version":1,"nodes":["../x"]}`:   detectors.Unknown,
		`{"version":2}`:                    detectors.Unknown,
		`{"version":1`:                     detectors.Unknown,
	} {
		files := map[string]string{}
		if text != "" {
			files[evidence.InfoFile] = text
		}
		report := detectors.Run(context.Background(), bundle(files), []detectors.Detector{says("d", detectors.Cause, problem("n1", ""))})
		if got := report.Findings[0].Verdict; got != want {
			t.Errorf("bundle.json %q: got %s, want %s", text, got, want)
		}
	}
}

// What a cause breaks explains the symptoms that were seen, and no others; what nothing explains is told.
func TestCausesExplainSymptoms(t *testing.T) {
	pair := problem("n2", "n1", detectors.LostBetween("n1", "n2")...)
	around := problem("n3", "", detectors.LostAround("n3")...)
	follows := problem("n9", "")
	around.Explains = []string{"other/broken/n9/*", "other/broken/n8/*"}
	report := run(
		says("cause", detectors.Cause, pair, around),
		says("other", detectors.Cause, follows, problem("n7", "")),
		says("symptom", detectors.Symptom,
			problem("n1", "n2", lost("n1", "n2")), problem("n3", "n1", lost("n3", "n1")), problem("n1", "n3", lost("n1", "n3")),
			problem("n3", "n3", lost("n3", "n3")), problem("n1", "n4", lost("n1", "n4"))),
		says("changed", detectors.Symptom,
			problem("n1", "n2", detectors.Breakage{Kinds: []string{evidence.ProbePod}, Effect: detectors.Changed, From: "n1", To: "n2"})),
		says("egress", detectors.Symptom,
			problem("n3", "host", detectors.Breakage{Kinds: []string{evidence.ProbeEgress}, Effect: detectors.Lost, From: "n3", To: "host"})),
	)
	if got, want := report.Findings[0].Explains, []string{"symptom/broken/n1/n2"}; !slices.Equal(got, want) {
		t.Errorf("the pair explains %q, want %q", got, want)
	}
	want := []string{"other/broken/n9/-", "symptom/broken/n3/n1", "symptom/broken/n1/n3"}
	if got := report.Findings[1].Explains; !slices.Equal(got, want) {
		t.Errorf("the node explains %q, want %q", got, want)
	}
	want = []string{"symptom/broken/n3/n3", "symptom/broken/n1/n4", "changed/broken/n1/n2", "egress/broken/n3/host"}
	if !slices.Equal(report.Unexplained, want) {
		t.Errorf("unexplained are %q, want %q", report.Unexplained, want)
	}
}

func TestExitCode(t *testing.T) {
	const c, n, u, warn, crit = "clean", "not-applicable", "unknown", "warning", "critical"
	for _, test := range []struct {
		found []string
		// want are the codes of FailOns: unknown, problem, critical, never.
		want [4]int
	}{
		{nil, [4]int{0, 0, 0, 0}},
		{[]string{c, n, c}, [4]int{0, 0, 0, 0}},
		{[]string{c, u, c}, [4]int{2, 0, 0, 0}},
		{[]string{u, warn}, [4]int{1, 1, 0, 0}},
		{[]string{crit, u}, [4]int{1, 1, 1, 0}},
		{[]string{warn, crit}, [4]int{1, 1, 1, 0}},
	} {
		var r detectors.Report
		for _, what := range test.found {
			f := detectors.Finding{Verdict: detectors.Verdict(what)}
			if what == warn || what == crit {
				f.Verdict, f.Severity = detectors.Problem, detectors.Severity(what)
			}
			r.Findings = append(r.Findings, f)
		}
		for i, on := range detectors.FailOns {
			if got := r.ExitCode(on); got != test.want[i] {
				t.Errorf("%q, fail on %s: exit code %d, want %d", test.found, on, got, test.want[i])
			}
		}
	}
}
