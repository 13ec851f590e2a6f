package gate

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/framework/procstat"
	"github.com/netfault/netfault/framework/wait"
)

// program writes a shell script, and returns the command that runs it.
func program(t *testing.T, script string) Command {
	t.Helper()
	path := filepath.Join(t.TempDir(), "detector")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return Command{Words: []string{path}, Timeout: time.Minute, Memory: 1 << 30, Names: NewNames(all.Detectors()), Dir: t.TempDir()}
}

var someBundle = Given{Files: fstest.MapFS{"bundle.json": {Data: []byte(`{"version":1}`), Mode: 0o644}}}

const staleReport = `'{"version":2,"findings":[{"detector":"stale-vtep","verdict":"problem","severity":"critical","case":"observer-stale","node":"n2","peer":"n1"}]}'`

// A report and the exit code that goes with it are an answer; everything else is an error, and none is "unknown".
func TestCommandsAnswer(t *testing.T) {
	for name, c := range map[string]struct{ script, err string }{
		"a report":                   {"echo " + staleReport + "; exit 1", ""},
		"another exit code":          {"echo " + staleReport + "; exit 0", "it exits 0, and its report means 1"},
		"64":                         {"echo " + staleReport + "; exit 64", "exit status 64"},
		"a signal":                   {"kill -9 $$", "signal: killed"},
		"nothing":                    {"echo sorry >&2; exit 2", "it printed no report: EOF: sorry"},
		"no JSON":                    {"echo all is well", "it printed no report"},
		"more than a report":         {"echo '{\"version\":2,\"findings\":[]}'; echo done", "more than a report"},
		"another version":            {"echo '{\"version\":1,\"findings\":[]}'", "version 1"},
		"a verdict of its own":       {"echo '{\"version\":2,\"findings\":[{\"detector\":\"stale-vtep\",\"verdict\":\"fine\"}]}'", `verdict "fine"`},
		"a problem without a place":  {"echo '{\"version\":2,\"findings\":[{\"detector\":\"stale-vtep\",\"verdict\":\"problem\",\"case\":\"vtep-down\"}]}'; exit 1", "no case or no node"},
		"a detector of its own":      {"echo '{\"version\":2,\"findings\":[{\"detector\":\"mine\",\"verdict\":\"clean\"}]}'", "--map"},
		"too much":                   {"exec head -c 20000000 /dev/zero", "it printed more than"},
		"a child that holds its end": {"sleep 1000 & echo " + staleReport + "; exit 1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			answers, err := program(t, c.script).Judge(t.Context(), someBundle)
			if err != nil {
				t.Fatal(err)
			}
			got := answers[wrong].Err
			if c.err == "" && (got != "" || !slices.Equal(answers["stale-vtep"].Problems, answer(false, stale).Problems)) {
				t.Errorf("%+v", answers)
			}
			if c.err != "" && !strings.Contains(got, c.err) {
				t.Errorf("got %q, want %q", got, c.err)
			}
		})
	}
}

// What takes too long is ended with all that it started.
func TestCommandsEnd(t *testing.T) {
	started := filepath.Join(t.TempDir(), "pid")
	c := program(t, "sleep 1000 & echo $! >"+started+"; wait")
	c.Timeout = 2 * time.Second
	answers, err := c.Judge(t.Context(), someBundle)
	if err != nil || !strings.Contains(answers[wrong].Err, "no answer within 2s") {
		t.Errorf("%+v, %v", answers, err)
	}
	ended(t, started)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Judge(ctx, someBundle); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	c.Words = []string{"no-such-program"}
	if _, err := c.Judge(t.Context(), someBundle); err == nil || !strings.Contains(err.Error(), "cannot be started") {
		t.Errorf("no program: %v", err)
	}
	if left, err := os.ReadDir(c.Dir); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// ended waits until the process whose ID stands in a file is no more; a zombie is none.
func ended(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	err = wait.Until(t.Context(), 30*time.Second, "the end of what the detector has started", func(context.Context) error {
		if stat, err := procstat.Read(pid); err == nil && !stat.Zombie {
			return errors.New("it runs")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Memory is limited: awk doubles a string until it has none.
func TestCommandsHaveLimitedMemory(t *testing.T) {
	c := program(t, `sleep 0.2; exec awk 'BEGIN { s = "x"; for (i = 0; i < 28; i++) s = s s; print length(s) }' </dev/null`)
	c.Memory = 64 << 20
	answers, err := c.Judge(t.Context(), someBundle)
	if err != nil || answers[wrong].Err == "" || strings.Contains(answers[wrong].Err, "cannot unmarshal") {
		t.Errorf("%+v, %v", answers, err)
	}
}

// A detector is told the bundle's folder, and nothing else: neither its arguments, its environment nor its folder say what it is.
func TestCommandsAreToldNothing(t *testing.T) {
	t.Setenv("NETFAULT_SCENARIO", "stale-vtep")
	out := filepath.Join(t.TempDir(), "told")
	c := program(t, `{ echo "args $*"; env; pwd; ls -a; find "$2"; } >`+out)
	c.Words = append(c.Words, "--bundle="+Placeholder, Placeholder)
	if _, err := c.Judge(t.Context(), someBundle); err != nil {
		t.Fatal(err)
	}
	told, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(told), "bundle.json") || strings.Contains(string(told), "stale-vtep") || strings.Contains(string(told), "NETFAULT") {
		t.Errorf("it is told:\n%s", told)
	}
}

func TestNames(t *testing.T) {
	n := NewNames(all.Detectors())
	text := "# theirs ours\nmine/wrong-mac stale-vtep/observer-stale\nmine/nat pod-snat/rule\n\nmine/port-closed -\n"
	if err := n.Read(strings.NewReader(text), "names"); err != nil {
		t.Fatal(err)
	}
	if got := n.detectors("mine"); len(got) != 2 || !slices.Contains(got, "pod-snat") {
		t.Errorf("it stands for %q", got)
	}
	for text, want := range map[string]string{
		"a/b":                            "no two names",
		"a stale-vtep/vtep-down":         "no two names",
		"a/b stale-vtep/no-such-case":    "no case stale-vtep/no-such-case",
		"mine/nat stale-vtep/vtep-down":  "twice",
		"x/y -\nx/y -":                   "line 2: x/y stands there twice",
		"a/b stale-vtep/vtep-down extra": "no two names",
	} {
		if err := n.Read(strings.NewReader(text), "names"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// The examples in docs/examples do what they say: each cell of the bundles about what they look at is as it should be.
func TestExamples(t *testing.T) {
	for _, e := range []struct{ file, needs, names string }{
		{"unanswered.py", "python3", "unanswered.names"}, {"changed.sh", "jq", ""},
	} {
		t.Run(e.file, func(t *testing.T) {
			if _, err := exec.LookPath(e.needs); err != nil {
				t.Skipf("%v", err)
			}
			examples, err := filepath.Abs(filepath.Join(checkout, "docs", "examples"))
			if err != nil {
				t.Fatal(err)
			}
			c := Command{Words: []string{filepath.Join(examples, e.file)}, Timeout: time.Minute, Memory: 1 << 30, Names: NewNames(all.Detectors()), Dir: t.TempDir()}
			if e.names != "" {
				f, err := os.Open(filepath.Join(examples, e.names))
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				if err := c.Names.Read(f, e.names); err != nil {
					t.Fatal(err)
				}
			}
			g := recorded(t)
			g.Judge = c.Judge
			g.Sources = slices.DeleteFunc(g.Sources, func(s Source) bool {
				return !strings.HasPrefix(s.Name, "podreachability/") && !strings.HasPrefix(s.Name, "sourceaddress/") && s.Name != "dockerd-ip-masq"
			})
			r, err := g.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range r.Cells {
				if !c.Right {
					t.Errorf("%s, %s: %s: %s", c.Bundle, c.Detector, c.Was, c.Why)
				}
			}
			if len(r.Detectors) != 1 || r.Detectors[0].Scores.Speak.Right == 0 || r.Detectors[0].Scores.Abstain.Right == 0 {
				t.Errorf("%+v", r.Detectors)
			}
		})
	}
}
