package page

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/stalevtep"
	"github.com/netfault/netfault/framework/drops"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/gate"
)

// recorded is a recorded bundle of stale-vtep, judged by its detector.
func recorded(t *testing.T, phase string) *Judged {
	t.Helper()
	dir := filepath.Join("../../../fixtures/bundles/stale-vtep", phase)
	b, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	return Judge(dir, b, detectors.Run(t.Context(), b, []detectors.Detector{stalevtep.Detector}))
}

// died is what the kernel told in stale-vtep.
var died = fault.Deaths{Drops: []fault.DropsOf{{
	Death: fault.Death{Machine: "n1", Class: drops.WrongLinkAddress}, Interface: "flannel.1", Reason: "OTHERHOST", From: "n2", To: "n1", Packets: 22,
	Lost: []string{"pod n1 → n2", "pod n2 → n1"},
}}}

// whole is a page with everything that a page can have: a life that passed, one that failed, one that was skipped, a gate, a bundle.
func whole(t *testing.T) Page {
	t.Helper()
	plan := []fault.Step{{Name: "healthy", About: "every probe passes"}, {Name: "symptom", About: "what must fail does"}, {Name: "clean", About: "all is clean"}}
	passed := []fault.Result{
		{Step: "healthy", Seconds: 2, OK: true, Details: []string{"39 probes, all pass"}}, {Step: "symptom", Seconds: 3, OK: true, Deaths: &died},
		{Step: "clean", Seconds: 1, OK: true},
	}
	failed := []fault.Result{passed[0], {Step: "symptom", Seconds: 20, Error: "packets must die on n2", Deaths: &fault.Deaths{NotMeasured: "no BPF here"}}}
	faulty := recorded(t, "faulty")
	life := Life{
		Name: "stale-vtep", Summary: "a node sends to the old MAC", OK: true, Facts: []Fact{{"lab", "netns:lab"}}, Plan: plan, Steps: passed,
		Writeup: stalevtep.Detector.Writeup, Healthy: recorded(t, "healthy"), Faulty: faulty, Healed: recorded(t, "healed"),
	}
	broken := life
	broken.Name, broken.OK, broken.Steps, broken.Healed = "stale-vtep again", false, failed, nil
	scenario := func(name, phase string) gate.Source {
		return gate.Source{Kind: gate.Scenario, Name: name, Phase: phase}
	}
	result := gate.Result{
		Bundles: 2, Detectors: []gate.Score{{Detector: "pod-snat"}, {Detector: "stale-vtep"}},
		Cells: []gate.Cell{
			{Bundle: scenario("stale-vtep", "faulty"), Detector: "pod-snat", Should: gate.Silence, Was: gate.FalseAlarm, Why: "not there: rule on n1"},
			{Bundle: scenario("stale-vtep", "faulty"), Detector: "stale-vtep", Should: gate.Hit, Was: gate.Hit, Right: true},
			{Bundle: gate.Source{Kind: gate.Case, Name: "stale-vtep/near"}, Detector: "pod-snat", Should: gate.Silence, Was: gate.Silence, Right: true},
			{Bundle: gate.Source{Kind: gate.Case, Name: "stale-vtep/near"}, Detector: "stale-vtep", Should: gate.Silence, Was: gate.Silence, Right: true},
		},
		Confusions: []gate.Confusion{{Took: gate.Nothing, Reported: "pod-snat/rule", Count: 1}}, Baselines: []gate.Baseline{{Name: "always clean"}},
	}
	return Page{
		Title: "netfault e2e on netns", Verdict: "2 failed", Facts: []Fact{{"seed", "1"}}, Gate: &result,
		Lives:    []Life{life, broken, {Name: "tw-recycle", Summary: "x", Skipped: "it needs BPF"}},
		Failures: []Failure{{"a test of the harness", "it failed"}}, Judged: faulty,
		Writeups: WriteupsOf(faulty.Report, []detectors.Detector{stalevtep.Detector}),
	}
}

func render(t *testing.T, p Page) string {
	t.Helper()
	var out strings.Builder
	if err := Write(&out, p); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestPageShowsAllOfALife(t *testing.T) {
	got := render(t, whole(t))
	for _, want := range []string{
		"✕ failed", "– not run", "it needs BPF", "packets must die on n2", // steps
		"n2 → n1: n1 at flannel.1 drops them, wrong link address (OTHERHOST), 22 packets", "was not measured: no BPF here", // deaths
		"pod n2 → n1", "✕ timeout", "n1 at flannel.1: wrong link address (OTHERHOST), sent by n2", // probes
		`class="row quoted"`, "▶", "nodes/n2/ip-neigh.json", // evidence
		"ip neigh replace 10.244.1.0 lladdr", "on n2: ", // remedy
		"Read the write-up of stale-vtep", `lang="zh"`, // write-up
		"false alarm, should be silence", "took nothing for pod-snat/rule: 1", "1 of 1 are right", "a test of the harness", // gate and the rest
	} {
		if !strings.Contains(strings.ReplaceAll(got, "&#43;", "+"), want) {
			t.Errorf("it does not show %q", want)
		}
	}
}

// Whatever is in a bundle or an error, no element and no attribute comes of it but those of the template.
func TestHostileTextStaysText(t *testing.T) {
	const evil = `</style></pre><script>alert(1)</script><img src=x onerror=alert(2)>"'><svg onload=alert(3)>{{.}}`
	dir := t.TempDir()
	file := "nodes/n1/evil.txt"
	if err := os.MkdirAll(filepath.Join(dir, "nodes/n1"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, file), []byte(evil+"\n"+evil+"\xff\x00\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	found := detectors.Report{Common: evil, Unexplained: []string{"x"}, Findings: []detectors.Finding{{
		ID: "x", Detector: evil, Verdict: detectors.Problem, Case: evil, Node: evil, Peer: evil, Summary: evil, Expected: evil, Actual: evil,
		Evidence: []detectors.Line{{File: file, Line: 2, Text: evil}}, Remedy: []detectors.Command{{Node: evil, Argv: []string{evil}, Why: evil}},
		Alternatives: []detectors.Alternative{{Name: evil, Remedy: []detectors.Command{{Argv: []string{evil}}}}},
	}, {ID: "y", Detector: evil, Verdict: detectors.Unknown, Summary: evil, Suppressed: &detectors.Suppression{Until: evil, Reason: evil}}}}
	b, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	j := Judge(dir, b, found)
	j.Nodes = []Node{{evil, evil, evil, evil}, {"n2", evil, evil, ""}}
	j.Probes = []evidence.Probe{{Kind: evil, From: evil, To: "n2", Error: evil}}
	deaths := &fault.Deaths{Drops: []fault.DropsOf{{Death: fault.Death{Machine: evil, Class: evil}, Interface: evil, Reason: evil, From: evil, To: "n2", Lost: []string{evil}}}}
	life := Life{
		Name: evil, Summary: evil, Facts: []Fact{{evil, evil}}, Plan: []fault.Step{{Name: evil, About: evil}},
		Steps:   []fault.Result{{Step: evil, Error: evil, Details: []string{evil}, Deaths: deaths}},
		Writeup: detectors.Writeup{English: "# x\n" + evil + "\n\n[a](javascript:alert(4)) ![b](http://e/x.png) <b onclick=alert(5)>\n", Chinese: evil}, Faulty: j, Healthy: j,
	}
	cell := gate.Cell{Bundle: gate.Source{Kind: evil, Name: evil}, Detector: evil, Was: evil, Should: evil, Why: evil}
	got := render(t, Page{
		Title: evil, Verdict: evil, Facts: []Fact{{evil, evil}}, Lives: []Life{life}, Failures: []Failure{{evil, evil}}, Judged: j,
		Gate: &gate.Result{Detectors: []gate.Score{{Detector: evil}}, Cells: []gate.Cell{cell}},
	})
	root, err := html.Parse(strings.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "script", "img", "iframe", "object", "embed", "link", "form", "base", "b":
			t.Errorf("it has an element %s", n.Data)
		}
		for _, a := range n.Attr {
			value := strings.ToLower(strings.TrimSpace(a.Val))
			if strings.HasPrefix(a.Key, "on") || strings.HasPrefix(value, "javascript:") || a.Key == "href" && !strings.HasPrefix(value, "#") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
	}
	if !strings.Contains(got, "&lt;script&gt;alert(1)") {
		t.Error("the text is not shown")
	}
}

// A page needs nothing of the network, and says so to the browser.
func TestPageStandsAlone(t *testing.T) {
	got := render(t, whole(t))
	if !strings.Contains(got, `content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"`) {
		t.Error("it has no policy")
	}
	root, err := html.Parse(strings.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	level, h1 := 0, 0
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if len(n.Data) == 2 && n.Data[0] == 'h' && n.Data[1] >= '1' && n.Data[1] <= '6' {
			now := int(n.Data[1] - '0')
			if now > level+1 {
				t.Errorf("a heading of level %d follows one of level %d", now, level)
			}
			if level = now; now == 1 {
				h1++
			}
		}
		for _, a := range n.Attr {
			if a.Key == "src" || a.Key == "href" && !strings.HasPrefix(a.Val, "#") && !strings.HasPrefix(a.Val, "https://") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
	}
	if h1 != 1 {
		t.Errorf("it has %d titles", h1)
	}
}

// A stranger's bundle neither makes us wait nor leads elsewhere.
func TestExcerptsOfOddFiles(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("語", 5000)
	if err := os.WriteFile(filepath.Join(dir, "long"), []byte("1\n2\n3\n4\n"+long+"\n6"), 0o644); err != nil {
		t.Fatal(err)
	}
	f := detectors.Finding{Verdict: detectors.Problem}
	for _, file := range []string{"fifo", "link", "../secret", "gone", ".", "long"} {
		f.Evidence = append(f.Evidence, detectors.Line{File: file, Line: 5})
	}
	done := make(chan []Excerpt, 1)
	go func() { done <- excerpts(dir, detectors.Report{Findings: []detectors.Finding{f}}) }()
	select {
	case got := <-done:
		if len(got) != 1 || got[0].File != "long" || len(got[0].Lines) != 4 {
			t.Fatalf("%+v", got)
		}
		if l := got[0].Lines[2]; !l.Quoted || l.Number != 5 || len([]rune(l.Text)) != longestQuote+2 {
			t.Errorf("the quoted line is number %d with %d runes", l.Number, len([]rune(l.Text)))
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it waits for a FIFO")
	}
}

// The ways end where packets died, as far as that is in the picture.
func TestPicture(t *testing.T) {
	j := recorded(t, "faulty")
	p := pictureOf(j, &died)
	if !p.Measured || len(p.Lanes) != 3 || len(p.Ways) != 1 || p.Ways[0].Mark != "✕" {
		t.Fatalf("%+v", p)
	}
	if n1 := p.laneOf("n1"); p.Ways[0].Y < n1.Y || p.Ways[0].Y > n1.Y+laneHeight || p.Ways[0].X < flannelLeft || p.Ways[0].X > flannelRight {
		t.Errorf("packets die at %d,%d, which is not n1's flannel.1", p.Ways[0].X, p.Ways[0].Y)
	}
	if p := pictureOf(j, nil); p.Measured || len(p.Ways) != 2 || p.Ways[0].Mark != "?" || p.Why == "" {
		t.Errorf("of a bundle alone: %+v", p)
	}
	outside := fault.Deaths{Drops: []fault.DropsOf{
		{Death: fault.Death{Machine: "host"}, Interface: "eth0", From: "n2", To: "n1"}, {Death: fault.Death{Machine: "client-n1"}, Interface: "eth0", From: "n3", To: "n1"},
	}}
	p = pictureOf(j, &outside)
	// What does not go by VXLAN is drawn below flannel.1.
	if n2 := p.laneOf("n2"); !strings.Contains(p.Ways[0].Points, fmt.Sprintf(",%d ", n2.Y+below)) {
		t.Errorf("packets to the host outside are drawn through flannel.1: %s", p.Ways[0].Points)
	}
	if p := pictureOf(j, &fault.Deaths{}); p.Measured || !strings.Contains(p.Why, "dropped no packet") {
		t.Errorf("of a kernel that dropped nothing: %+v", p)
	}
	if len(p.Lanes) != 4 || !p.Lanes[3].Host || p.Ways[1].X > podRight || p.Ways[1].Y > p.laneOf("n1").Y+laneHeight {
		t.Errorf("outside and in a pod: %+v", p)
	}
	if p := pictureOf(&Judged{Nodes: j.Nodes}, nil); len(p.Ways) > 0 || !strings.Contains(p.Title(), "does not show whether packets are lost") {
		t.Errorf("without probes: %q", p.Title())
	}
	if p := pictureOf(recorded(t, "healthy"), nil); len(p.Ways) > 0 || !strings.Contains(p.Title(), "Every probe does what it must") {
		t.Errorf("of a healthy bundle: %q", p.Title())
	}
	// More nodes and ways than can be drawn.
	var many Judged
	var all fault.Deaths
	for i := range 40 {
		name := "m" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		many.Nodes = append(many.Nodes, Node{Name: name})
		all.Drops = append(all.Drops, fault.DropsOf{Death: fault.Death{Machine: name}, From: "maa", To: name})
	}
	if p := pictureOf(&many, &all); len(p.Lanes) != mostLanes || p.Left != 32 || len(p.Ways) != mostWays || !strings.Contains(p.Why, "32 more ways") {
		t.Errorf("of many: %d lanes, %d left, %d ways, %q", len(p.Lanes), p.Left, len(p.Ways), p.Why)
	}
}
