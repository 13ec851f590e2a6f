package detectors

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/netfault/netfault/detectors/evidence"
)

// What `sysctl -a` prints around the setting: of a kernel without it, with it off and with it on.
const (
	sysctlAbsent = "net.ipv4.tcp_timestamps = 1\nnet.ipv4.tcp_tw_reuse = 2\nnet.ipv4.tcp_window_scaling = 1\n"
	sysctlOff    = "net.ipv4.tcp_timestamps = 1\nnet.ipv4.tcp_tw_recycle = 0\nnet.ipv4.tcp_window_scaling = 1\n"
	sysctlOn     = "net.ipv4.tcp_timestamps = 1\nnet.ipv4.tcp_tw_recycle = 1\nnet.ipv4.tcp_window_scaling = 1\n"
)

// recycleCluster is a cluster of n nodes whose kernels have no net.ipv4.tcp_tw_recycle.
func recycleCluster(n int) *cluster {
	c := healthy(n)
	for name := range c.nodes {
		c.files[evidence.NodeFile(name, evidence.SysctlFile)] = sysctlAbsent
	}
	return c
}

// recordedCapture reads one of fixtures/captures.
func recordedCapture(t *testing.T, name string) string {
	t.Helper()
	pcap, err := os.ReadFile(filepath.Join("..", "fixtures", "captures", name+".pcap"))
	if err != nil {
		t.Fatal(err)
	}
	return string(pcap)
}

// Every capture that TestRecord in framework/capture makes has its verdict here.
func TestRecordedCaptures(t *testing.T) {
	verdictOf := map[string]string{
		"recycle":             "problem behaviour n1",
		"recycle-wrap":        "problem behaviour n1",
		"recycle-hasty":       "problem behaviour n1",
		"repeated":            "unknown n1",
		"middle":              "unknown n1",
		"two-ports":           "unknown n1",
		"one-sided":           "unknown n1",
		"random-loss":         "clean",
		"accept-queue":        "clean",
		"drop-rule":           "clean",
		"backward-answered":   "clean",
		"random-offsets":      "clean",
		"one-sided-for-older": "clean",
	}
	files, err := filepath.Glob("../fixtures/captures/*.pcap")
	if err != nil || len(files) != len(verdictOf) {
		t.Errorf("%d captures for %d verdicts, %v", len(files), len(verdictOf), err)
	}
	for name, want := range verdictOf {
		c := recycleCluster(2)
		c.files[evidence.CaptureFile("n1", name+".pcap")] = recordedCapture(t, name)
		found := c.judge(t, TWRecycle)
		if got := verdicts(found); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: got %q, want %q:\n%s", name, got, want, text(found[0]))
		}
		for _, f := range found {
			checkFinding(t, f)
		}
	}
}

// What the finding on the recorded fault tells, line by line; the numbers of ports, times and timestamps are the recording's.
func TestRecordedFaultIsTold(t *testing.T) {
	c := recycleCluster(2)
	c.files[evidence.CaptureFile("n1", "a.pcap")] = recordedCapture(t, "recycle")
	c.files[evidence.NodeFile("n1", evidence.SysctlFile)] = sysctlOn
	c.files[evidence.NodeFile("n1", evidence.UnameFile)] = "3.10.0-1160.el7.x86_64\n"
	c.files[evidence.NodeFile("n1", evidence.NetstatFile)] = "TcpExt: PAWSPassive ListenDrops\nTcpExt: 12 12\n"
	found := c.judge(t, TWRecycle)
	if len(found) != 1 {
		t.Fatalf("%d findings, want one: %q", len(found), verdicts(found))
	}
	f := found[0]
	got := []string{f.Summary, f.Expected, f.Actual}
	for _, l := range f.Evidence {
		got = append(got, l.File+": "+l.Text)
	}
	const capture = `nodes/n1/captures/a.pcap: `
	const hangs = capture + `\S+ port \d+ to 10.244.1.2:8080, TSval \d+ \(older by \d+\): unanswered, tried 2 times in 1 s`
	const passes = capture + `\S+ port \d+ to 10.244.1.2:8080, TSval \d+: answered`
	want := []string{
		`10.244.1.2:8080 drops SYNs of 10.244.1.1 whose TCP timestamp is older than the last: 6 of 6 unanswered, but 3 of 3 others answered, ` +
			`within \d+ s; net.ipv4.tcp_tw_recycle is 1 on n1, native`,
		`every SYN answered, whatever its timestamp`,
		`6 of 6 SYNs with an older timestamp unanswered`,
		capture + `10.244.1.1 to 10.244.1.2:8080, \S+ to \S+ UTC: 6 SYNs with an older timestamp: 6 unanswered \(6 of them repeated\), 0 answered; ` +
			`2 with a newer one: 0 unanswered; 1 without one to compare with: 0 unanswered`,
		passes, hangs, hangs, hangs, passes, hangs, hangs, hangs, passes,
		`nodes/n1/sysctl.txt: net.ipv4.tcp_tw_recycle = 1, for every network namespace of the node \(Linux 3.10.0-1160.el7.x86_64\)`,
		`nodes/n1/netstat.txt: TcpExtPAWSPassive 12: SYNs dropped in the node's own network namespace`,
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !regexp.MustCompile("^"+want[i]+"$").MatchString(got[i]) {
			t.Fatalf("line %d: got\n%s\nwant\n%s", i, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if len(f.Remedy) != 1 || f.Remedy[0].Node != "n1" || f.Remedy[0].String() != "sysctl -w net.ipv4.tcp_tw_recycle=0" {
		t.Errorf("remedy %+v", f.Remedy)
	}
}
