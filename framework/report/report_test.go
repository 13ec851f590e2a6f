package report

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/fault"
	"golang.org/x/sys/unix"
)

var problem = detectors.Finding{
	Detector: "stale-vtep", Verdict: detectors.Problem, Severity: detectors.Critical, Node: "n2", Peer: "n1", Summary: "n1 drops them",
	Expected: "0e:22", Actual: "0e:11", Evidence: []detectors.Line{{File: "nodes/n2/ip-neigh.json", Text: "10.244.1.0 lladdr 0e:11"}},
	Remedy:       []detectors.Command{{Node: "n2", Argv: []string{"ip", "neigh", "replace", "a b"}, Why: "because"}},
	Alternatives: []detectors.Alternative{{Name: "somebody else does it", Remedy: []detectors.Command{{Node: "n3", Argv: []string{"true"}, Why: "it may"}}}},
}

// What stands between the table and the person who must act: every command, ready to be pasted, and on which node.
func TestFindingsTableShowsTheRemedy(t *testing.T) {
	var out bytes.Buffer
	FindingsTable(&out, detectors.Report{Findings: []detectors.Finding{problem, {Detector: "quiet", Verdict: detectors.Clean, Summary: "fine"}}})
	for _, want := range []string{"n2 → n1", "expected  0e:22", "actual    0e:11", "nodes/n2/ip-neigh.json", "n2# ip neigh replace 'a b'", "because",
		"or, somebody else does it:\n            n3# true", "quiet"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
}

// What could not be judged is told with all its reasons, and what nothing explains with what it has in common.
func TestFindingsTableShowsDoubts(t *testing.T) {
	unknown := detectors.Finding{Detector: "stale-vtep", Verdict: detectors.Unknown, Summary: "cannot tell"}
	for i := range maxEvidence + 2 {
		unknown.Evidence = append(unknown.Evidence, detectors.Line{File: fmt.Sprintf("nodes/n%d/ip-link.json", i), Text: "missing"})
	}
	known := unknown
	known.Detector, known.Suppressed = "suppressed-one", &detectors.Suppression{}
	symptom := detectors.Finding{ID: "a", Detector: "pod-reachability", Verdict: detectors.Problem, Summary: "n1 gets no answer"}
	var out bytes.Buffer
	FindingsTable(&out, detectors.Report{
		Findings: []detectors.Finding{unknown, known, symptom}, Unexplained: []string{"a"}, Common: "all of it concerns n1",
	})
	for _, want := range []string{"stale-vtep cannot tell, for 22 reasons:", "evidence  nodes/n0/ip-link.json: missing", "nodes/n19/", "and 2 more, which -o json has",
		"1 symptom that no known cause explains; all of it concerns n1:"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
	for _, not := range []string{"nodes/n20/", "suppressed-one cannot"} {
		if strings.Contains(out.String(), not) {
			t.Errorf("%q in:\n%s", not, out.String())
		}
	}
}

// Whoever reads a verdict must know that it is not of a real cluster.
func TestFindingsTableTellsStandIns(t *testing.T) {
	r := detectors.Report{Findings: []detectors.Finding{{Detector: "quiet", Verdict: detectors.Clean, Summary: "fine"}}}
	var real, out bytes.Buffer
	FindingsTable(&real, r)
	r.StandIns = []string{"a stand-in for flanneld v0.7.1", "tcp_tw_recycle, emulated"}
	FindingsTable(&out, r)
	if want := "not all is real where this comes from: a stand-in for flanneld v0.7.1; tcp_tw_recycle, emulated\n\n" + real.String(); out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// Colour is for terminals only.
func TestNoEscapesInAFile(t *testing.T) {
	var out bytes.Buffer
	FindingsTable(&out, detectors.Report{Findings: []detectors.Finding{problem}})
	c := NewConsole(&out)
	c.Begin("s", fault.Step{Name: "healthy", About: "all is well"})
	c.Detail("detail")
	c.End("s", fault.Step{Name: "healthy", Number: 1, Of: 11}, fault.Result{Step: "healthy", Seconds: 1.5, OK: false, Error: "not well", Bundle: "/tmp/b"})
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("escape sequences in %q", out.String())
	}
	for _, want := range []string{"FAILED (1.5s): not well", "netfault detect --bundle=/tmp/b"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
}

func TestColorIsForTerminalsThatHaveIt(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal to be had: %v", err)
	}
	defer terminal.Close()
	for _, c := range []struct {
		term, noColor string
		want          bool
	}{{"xterm", "", true}, {"dumb", "", false}, {"xterm", "1", false}, {"", "", false}} {
		t.Setenv("TERM", c.term)
		t.Setenv("NO_COLOR", c.noColor)
		if got := NewConsole(terminal).color; got != c.want {
			t.Errorf("TERM=%q NO_COLOR=%q: %v", c.term, c.noColor, got)
		}
	}
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	if NewConsole(&bytes.Buffer{}).color {
		t.Error("colours in what is no terminal")
	}
}
