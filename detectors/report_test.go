package detectors

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/netfault/netfault/detectors/evidence"
)

func TestReportJSON(t *testing.T) {
	c := healthy(2)
	c.nodes["n2"].neighbour(1).LLAddr = other
	c.probes = nil
	c.files[evidence.ProbesFile] = ""
	got, err := json.Marshal(Run(context.Background(), evidence.New(c.fs()), []Detector{StaleVTEP, PodReachability}))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"version":1,"findings":[
{"detector":"stale-vtep","verdict":"problem","severity":"critical","case":"observer-stale","node":"n2","peer":"n1",
"summary":"n2 sends packets for n1's pods (10.244.1.0/24) to 0e:00:00:00:00:fe, but n1's flannel.1 is 0e:00:00:00:00:01: n1 drops them",
"expected":"0e:00:00:00:00:01","actual":"0e:00:00:00:00:fe","evidence":[
{"file":"nodes/n2/ip-neigh.json","text":"10.244.1.0 dev flannel.1 lladdr 0e:00:00:00:00:fe PERMANENT"},
{"file":"nodes/n1/ip-link.json","text":"flannel.1 <BROADCAST,MULTICAST,UP,LOWER_UP> address 0e:00:00:00:00:01"},
{"file":"cluster/leases.json","text":"n1: 10.244.1.0/24, public IP 192.168.7.1, VNI 1, VtepMAC 0e:00:00:00:00:01, from etcd"}],
"remedy":[
{"node":"n2","argv":["ip","neigh","replace","10.244.1.0","lladdr","0e:00:00:00:00:01","dev","flannel.1","nud","permanent"],"why":"n2 sends packets for n1's pods to the address that n1's flannel.1 has"},
{"node":"n2","argv":["bridge","fdb","replace","0e:00:00:00:00:01","dev","flannel.1","dst","192.168.7.1","self","permanent"],"why":"n2 forwards frames for that address to n1 (192.168.7.1)"}]},
{"detector":"pod-reachability","verdict":"not-applicable","summary":"no probes were run"}]}`
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(strings.ReplaceAll(want, "\n", ""))); err != nil {
		t.Fatal(err)
	}
	var escaped bytes.Buffer
	json.HTMLEscape(&escaped, compact.Bytes())
	if string(got) != escaped.String() {
		t.Errorf("got\n%s\nwant\n%s", got, escaped.String())
	}
}

func TestRunOfNothing(t *testing.T) {
	got, err := json.Marshal(Run(context.Background(), evidence.New(healthy(1).fs()), nil))
	if err != nil || string(got) != `{"version":1,"findings":[]}` {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestRunTurnsFaultsOfDetectorsIntoUnknown(t *testing.T) {
	panics := func(context.Context, *evidence.Bundle) []Finding { panic("index out of\nrange") }
	panicsAside := func(context.Context, *evidence.Bundle) []Finding {
		parallel(4, func(_, i int) {
			if i == 2 {
				panic("aside")
			}
		})
		return []Finding{{Verdict: Clean}}
	}
	silent := func(context.Context, *evidence.Bundle) []Finding { return nil }
	report := Run(context.Background(), evidence.New(healthy(1).fs()), []Detector{
		{Name: "panics", Detect: panics}, {Name: "panics-aside", Detect: panicsAside}, {Name: "silent", Detect: silent}, StaleVTEP,
	})
	var got []string
	for _, f := range report.Findings {
		got = append(got, f.Detector+" "+string(f.Verdict)+": "+f.Summary)
	}
	want := []string{
		"panics unknown: the detector panicked, which is a bug in it: index out of range",
		"panics-aside unknown: the detector panicked, which is a bug in it: aside",
		"silent unknown: the detector returned no finding, which is a bug in it",
		"stale-vtep clean: link, lease, neighbour and FDB entries agree for all 0 ordered pairs of 1 nodes",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestBundleInfo(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "clean",
		`{"version":1}`:                    "clean",
		`{"version":1,"futureField":true}`: "clean",
		`{"version":2}`:                    "unknown",
		`{"version":1`:                     "unknown",
	} {
		c := healthy(2)
		c.files[evidence.InfoFile] = text
		report := Run(context.Background(), evidence.New(c.fs()), []Detector{StaleVTEP, PodReachability})
		if got := verdicts(report.Findings); !slices.Equal(got, []string{want, want}) {
			t.Errorf("bundle.json %q: got %q, want %s", text, got, want)
		}
	}
}

func TestExitCode(t *testing.T) {
	for _, test := range []struct {
		verdicts []Verdict
		want     int
	}{
		{nil, 0},
		{[]Verdict{Clean}, 0},
		{[]Verdict{NotApplicable}, 0},
		{[]Verdict{Clean, NotApplicable, Clean}, 0},
		{[]Verdict{Clean, Unknown, Clean}, 2},
		{[]Verdict{Unknown, Problem, Clean}, 1},
		{[]Verdict{Problem, Unknown}, 1},
	} {
		var r Report
		for _, v := range test.verdicts {
			r.Findings = append(r.Findings, Finding{Verdict: v})
		}
		if got := r.ExitCode(); got != test.want {
			t.Errorf("%v: exit code %d, want %d", test.verdicts, got, test.want)
		}
	}
}

// The same bundle gives the same report to the byte, however the workers take turns.
func TestRunIsDeterministic(t *testing.T) {
	c := healthy(12)
	for i := 2; i <= 12; i++ {
		c.nodes[c.leases[i-1].Node].neighbour(1).LLAddr = other
	}
	c.nodes["n3"].flannel().Address = other
	c.nodes["n4"].links = c.nodes["n4"].links[:1]
	c.files["nodes/n5/bridge-fdb.json"], c.files["nodes/n6/ip-neigh.json"] = "[", ""
	for i := range c.probes {
		c.probes[i].OK = i%3 != 0
	}
	var first []byte
	for range 20 {
		got, err := json.Marshal(Run(context.Background(), evidence.New(c.fs()), All()))
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = got
		}
		if !bytes.Equal(got, first) {
			t.Fatalf("two reports differ:\n%s\n%s", first, got)
		}
	}
}

func TestAll(t *testing.T) {
	var got []string
	for _, d := range All() {
		got = append(got, string(d.Kind)+" "+d.Name)
		if d.About == "" || d.Detect == nil {
			t.Errorf("%s lacks something", d.Name)
		}
	}
	if !slices.IsSorted(got) || !slices.Contains(got, "cause stale-vtep") || !slices.Contains(got, "symptom source-address") {
		t.Errorf("got %q", got)
	}
}

func TestCommandString(t *testing.T) {
	for want, argv := range map[string][]string{
		"ip neigh replace 10.244.1.0 lladdr 0e:00:00:00:00:01": {"ip", "neigh", "replace", "10.244.1.0", "lladdr", "0e:00:00:00:00:01"},
		`sh -c 'echo '\''$HOME'\''; true'`:                     {"sh", "-c", "echo '$HOME'; true"},
		`x '' '*' 'a b'`:                                       {"x", "", "*", "a b"},
	} {
		if got := (Command{Argv: argv}).String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// FuzzRun checks that no bundle makes a detector panic or say nothing.
func FuzzRun(f *testing.F) {
	files := []string{
		evidence.LeasesFile, evidence.ProbesFile, evidence.NodeFile("n1", evidence.LinkFile),
		evidence.NodeFile("n2", evidence.NeighFile), evidence.NodeFile("n2", evidence.FDBFile), evidence.NodeFile("n2", evidence.RouteFile),
	}
	good := healthy(2)
	good.nodes["n1"].links[1].Stats.RX.OtherHost = 3
	add := func(c *cluster) {
		fsys := c.fs()
		f.Add(fsys[files[0]].Data, fsys[files[1]].Data, fsys[files[2]].Data, fsys[files[3]].Data, fsys[files[4]].Data, fsys[files[5]].Data)
	}
	add(good)
	good.nodes["n2"].neighbour(1).LLAddr = other
	add(good)
	forget(&good.nodes["n2"].neighbours, good.nodes["n2"].neighbour(1))
	good.probes[0].OK, good.probes[1].Seen = false, "10.244.1.0"
	add(good)
	f.Fuzz(func(t *testing.T, leases, probes, link, neigh, fdb, route []byte) {
		c := healthy(2)
		for i, text := range [][]byte{leases, probes, link, neigh, fdb, route} {
			c.files[files[i]] = string(text)
		}
		spoke := map[string]bool{}
		for _, finding := range Run(context.Background(), evidence.New(c.fs()), All()).Findings {
			spoke[finding.Detector] = true
			checkFinding(t, finding)
			if strings.Contains(finding.Summary, "bug") {
				t.Error(finding.Summary)
			}
		}
		for _, d := range All() {
			if !spoke[d.Name] {
				t.Errorf("%s says nothing", d.Name)
			}
		}
	})
}
