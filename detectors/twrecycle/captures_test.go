package twrecycle

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/cases"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/twrecycle/internal/recycle"
)

// recordedCapture reads one of fixtures/captures.
func recordedCapture(t testing.TB, name string) string {
	t.Helper()
	pcap, err := os.ReadFile(filepath.Join("..", "..", "fixtures", "captures", name+".pcap"))
	if err != nil {
		t.Fatal(err)
	}
	return string(pcap)
}

// judge runs the detector over the healthy bundle with other files.
func judgeWith(t *testing.T, files map[string]string) []detectors.Finding {
	t.Helper()
	bundle := cases.Healthy()
	for name, text := range files {
		bundle[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return detectors.Run(t.Context(), evidence.New(bundle), []detectors.Detector{Detector}).Findings
}

// wantFindings compares verdict, case, node and peer, and looks for words in the findings.
func wantFindings(t *testing.T, name string, found []detectors.Finding, want []string, shown ...string) {
	t.Helper()
	var got []string
	for _, f := range found {
		got = append(got, f.ID)
	}
	all, err := json.Marshal(found)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q: %s", name, got, want, all)
	}
	for _, s := range shown {
		if !strings.Contains(string(all), s) {
			t.Errorf("%s: %q is not in %s", name, s, all)
		}
	}
}

const (
	clean     = "tw-recycle/clean/-/-"
	unknown   = "tw-recycle/unknown/n1/-"
	behaviour = "tw-recycle/behaviour/n1/-"
)

// Every capture that TestRecord in framework/capture makes has its verdict here.
func TestRecordedCaptures(t *testing.T) {
	verdictOf := map[string]string{
		"recycle":             behaviour,
		"recycle-wrap":        behaviour,
		"recycle-hasty":       behaviour,
		"recycle-bare":        behaviour,
		"bare-answered":       clean,
		"repeated":            unknown,
		"middle":              unknown,
		"two-ports":           unknown,
		"one-sided":           unknown,
		"random-loss":         clean,
		"accept-queue":        clean,
		"drop-rule":           clean,
		"backward-answered":   clean,
		"random-offsets":      clean,
		"one-sided-for-older": clean,
	}
	files, err := filepath.Glob("../../fixtures/captures/*.pcap")
	if err != nil || len(files) != len(verdictOf) {
		t.Errorf("%d captures for %d verdicts, %v", len(files), len(verdictOf), err)
	}
	for name, want := range verdictOf {
		found := judgeWith(t, map[string]string{evidence.CaptureFile("n1", name+".pcap"): recordedCapture(t, name)})
		wantFindings(t, name, found, []string{want})
	}
}

// Captures that are damaged in ways that no text file can show.
func TestDamagedCaptures(t *testing.T) {
	fault, healthyOne := recordedCapture(t, "recycle"), recordedCapture(t, "backward-answered")
	for _, test := range []struct {
		name, pcap string
		want       []string
		shown      string
	}{
		{"cut off", fault[:len(fault)-5], []string{behaviour}, "cut off at its end: judged up to there"},
		{"cut off, and nothing in it", healthyOne[:len(healthyOne)-5], []string{clean}, "1 captures are cut off and judged up to there: nodes/n1/captures/a.pcap"},
		{"cut off within the file's header", fault[:20], []string{unknown}, "ends within its header"},
		{"no capture", "tcpdump: eth7: No such device exists\n", []string{unknown}, "not a capture"},
		{"damaged at its end", fault + strings.Repeat("\xff", 16), []string{behaviour, unknown}, "damaged capture"},
		{"no packets", fault[:24], []string{clean}, "none of 0 requests in 1 captures"},
		{"snap length too short", shortened(healthyOne, 60), []string{unknown}, "capture with -s 128"},
	} {
		found := judgeWith(t, map[string]string{evidence.CaptureFile("n1", "a.pcap"): test.pcap})
		wantFindings(t, test.name, found, test.want, test.shown)
	}
}

// shortened is a capture, as TestRecord writes it, of which each packet has n bytes at most.
func shortened(pcap string, n int) string {
	const head, packetHead = 24, 16
	out, rest := pcap[:head], pcap[head:]
	for rest != "" {
		kept := int(rest[8]) | int(rest[9])<<8
		end := packetHead + kept
		out += rest[:8] + string([]byte{byte(min(kept, n)), 0, 0, 0}) + rest[12:packetHead+min(kept, n)]
		rest = rest[end:]
	}
	return out
}

func TestWhatTwoNodesHaveIsOfNeither(t *testing.T) {
	owners := map[string]string{}
	for _, node := range []string{"n1", "n1", "n2", "n2"} {
		claim(owners, "docker0's", node)
	}
	claim(owners, "cni0's", "n1")
	if owners["docker0's"] != "" || owners["cni0's"] != "n1" {
		t.Errorf("got %q", owners)
	}
}

// FuzzDetector checks that no capture and no setting makes the detector panic or say nothing.
func FuzzDetector(f *testing.F) {
	const on = "net.ipv4.tcp_timestamps = 1\nnet.ipv4.tcp_tw_recycle = 1\nnet.ipv4.tcp_window_scaling = 1\n"
	const emulated = `[{"source":"emulated (Linux 6.18 has no such setting)","semantics":"4.x","value":1,"scope":"pod-n1","dropped":0}]`
	for _, name := range []string{"recycle", "one-sided", "repeated"} {
		pcap := []byte(recordedCapture(f, name))
		f.Add(pcap, on, "6.18.0\n", emulated)
		f.Add(pcap[:len(pcap)-7], on[:60], "3.10.0\n", "[]\n")
	}
	f.Fuzz(func(t *testing.T, pcap []byte, sysctl, uname, emulated string) {
		found := judgeWith(t, map[string]string{
			evidence.CaptureFile("n1", "a.pcap"): string(pcap), evidence.NodeFile("n1", evidence.SysctlFile): sysctl,
			evidence.NodeFile("n1", evidence.UnameFile): uname, evidence.NodeFile("n1", evidence.TWRecycleFile): emulated,
		})
		for _, f := range found {
			if strings.Contains(f.Summary, "which is a bug in it") {
				t.Error(f.Summary)
			}
		}
	})
}

// Only clients whose SYNs of the sign's kind were dropped are named, whatever became of their others.
func TestSourcesOfASign(t *testing.T) {
	dropped, others := &recycle.Source{}, &recycle.Source{}
	dropped.Held(recycle.Older).Unanswered = 3
	others.Forward.Unanswered, others.Held(recycle.Older).Answered = 3, 3
	a, b := netip.MustParseAddr("10.244.1.1"), netip.MustParseAddr("10.244.2.1")
	s := sign{listener: &recycle.Listener{Sources: map[netip.Addr]*recycle.Source{a: others, b: dropped}}, kind: recycle.Older}
	if got := s.sources(); !slices.Equal(got, []netip.Addr{b}) {
		t.Errorf("got %v, want %s alone", got, b)
	}
}
