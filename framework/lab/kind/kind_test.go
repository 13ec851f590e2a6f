package kind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/engine"
	"github.com/netfault/netfault/framework/guard"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lab/owner"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/probe"
	"github.com/netfault/netfault/framework/snapshot"
	"github.com/netfault/netfault/framework/tools"
)

var _ lab.Lab = (*Lab)(nil)

func TestMain(m *testing.M) {
	os.Exit(guard.Run(m.Run, func(ctx context.Context, pid int) error {
		name := fmt.Sprintf("test-%d", pid)
		if _, err := os.Stat(StateDir(name)); errors.Is(err, fs.ErrNotExist) {
			return nil // so that no engine is asked for unit tests
		}
		return Remove(ctx, name)
	}))
}

// up makes a lab for a test that needs a real one, which make test-lab LAB=kind runs: it needs an engine, a node image and
// netfault-agent beside the test.
func up(t *testing.T) *Lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: make test-lab LAB=kind runs this test")
	}
	if _, err := tools.Agent(); err != nil {
		t.Skipf("make test-lab LAB=kind runs this test: %v", err)
	}
	if _, err := engine.Find(t.Context()); err != nil {
		t.Skip(err)
	}
	name := fmt.Sprintf("test-%d", os.Getpid())
	t.Cleanup(func() {
		if err := Remove(context.Background(), name); err != nil {
			t.Error(err)
		}
		left, _, err := List(context.Background())
		if err != nil || slices.Contains(left, name) {
			t.Errorf("after its removal the lab is listed: %v, %v", left, err)
		}
	})
	begun := time.Now()
	l, err := Up(t.Context(), Options{
		Name: name, Ready: probe.Healthy, Flannel: tools.FlannelVersion(), Owned: true,
		Progress: func(step string) { t.Logf("%6.2fs  %s", time.Since(begun).Seconds(), step) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%6.2fs  up", time.Since(begun).Seconds())
	return l
}

// One cluster for all, since making one is what takes the time.
func TestLab(t *testing.T) {
	l := up(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *Lab)
	}{
		{"use", testUse}, {"run", testRun}, {"probes", testProbes}, {"cut off", testCutOff}, {"flannel", testFlannel},
		{"kubectl", testKubectl}, {"open", testOpen}, {"snapshot", testSnapshot},
		{"stopped", testStopped}, // the last: containers do not come back whole
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, l) })
	}
}

func testUse(t *testing.T, l *Lab) {
	if use, err := UseOf(l.name); err != nil || use != owner.Owned {
		t.Errorf("UseOf: %v, %v; want Owned by this process", use, err)
	}
	if _, err := Up(t.Context(), Options{Name: l.name}); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("a second lab of the same name: %v", err)
	}
	if all, _, err := List(t.Context()); err != nil || !slices.Contains(all, l.name) {
		t.Errorf("the lab is not listed: %v, %v", all, err)
	}
}

func testRun(t *testing.T, l *Lab) {
	pod := l.Nodes()[1].Pod
	out, err := machine.Output(t.Context(), pod, "ip", "-4", "-br", "address", "show", "dev", "eth0")
	if err != nil || !strings.Contains(string(out), pod.Address.String()+"/") {
		t.Errorf("the pod's own eth0: %q, %v; want %s", out, err, pod.Address)
	}
	sockets, err := machine.Output(t.Context(), l.DNS().Pod, "ss", "-Hlun", "sport", "=", ":53")
	if err != nil || len(sockets) == 0 {
		t.Errorf("the name server's pod has no socket on port 53: %q, %v", sockets, err)
	}
	err = l.nodes[0].Run(t.Context(), machine.Command{Argv: []string{"ip", "link", "show", "dev", "nonsense"}})
	var exit *machine.ExitError
	if !errors.As(err, &exit) || exit.Code != 1 || exit.Machine != l.nodes[0].name || !strings.Contains(exit.Stderr, "nonsense") {
		t.Errorf("error %#v tells neither the machine, nor the code, nor what ip said", err)
	}
	for _, m := range []machine.Machine{l.nodes[0], pod} {
		err = m.Run(t.Context(), machine.Command{Argv: []string{"no-such-program"}})
		if err == nil || errors.As(err, &exit) || !strings.Contains(err.Error(), "no-such-program") {
			t.Errorf("%s: a program that is not there is told as %v", m.Name(), err)
		}
	}
}

// A command whose caller gives up must end in the container, too.
func testCutOff(t *testing.T, l *Lab) {
	for _, m := range []machine.Machine{l.nodes[1], l.nodes[1].pod} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		err := m.Run(ctx, machine.Command{Argv: []string{"sh", "-c", "sleep 987654; true"}})
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: a command that was cut off is told as %v", m.Name(), err)
		}
		if out, err := machine.Output(t.Context(), l.nodes[1], "pgrep", "-f", "sleep 98765[4]"); err == nil {
			t.Errorf("%s: it still runs as process %s", m.Name(), out)
		}
	}
}

func testProbes(t *testing.T, l *Lab) {
	begun := time.Now()
	results, err := probe.Run(t.Context(), l)
	if err := errors.Join(err, probe.AllPass(l, results)); err != nil {
		t.Error(err)
	}
	t.Logf("%d probes in %v", len(results), time.Since(begun).Round(time.Millisecond))
	kinds := map[string]int{}
	for _, r := range results {
		kinds[r.Kind]++
	}
	for _, kind := range []string{evidence.ProbePod, evidence.ProbeService, evidence.ProbeNodePort, evidence.ProbeDNS, evidence.ProbeEgress} {
		if kinds[kind] == 0 {
			t.Errorf("there is no probe of the kind %s", kind)
		}
	}
}

// The DaemonSet: deleting it leaves the interfaces, and it can come back without a node.
func testFlannel(t *testing.T, l *Lab) {
	all := []string{l.nodes[0].name, l.nodes[1].name, l.nodes[2].name}
	timed := func(what string, do func() error) {
		begun := time.Now()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %v", what, time.Since(begun).Round(10*time.Millisecond))
	}
	timed("delete", func() error { return l.flannel.Delete(t.Context()) })
	if running, err := l.flannel.Running(t.Context()); err != nil || len(running) != 0 {
		t.Errorf("flanneld runs on %v, %v", running, err)
	}
	if _, err := machine.Output(t.Context(), l.nodes[0], "ip", "link", "show", "dev", "flannel.1"); err != nil {
		t.Errorf("flannel.1 went with flanneld: %v", err)
	}
	without := []string{all[0], all[2]}
	timed("create on two", func() error { return l.flannel.Create(t.Context(), without...) })
	if running, err := l.flannel.Running(t.Context()); err != nil || !slices.Equal(running, without) {
		t.Errorf("flanneld runs on %v, %v; want %v", running, err, without)
	}
	if err := l.flannel.Create(t.Context(), "n9"); err == nil || !strings.Contains(err.Error(), all[0]) {
		t.Errorf("error %v does not say which nodes there are", err)
	}
	timed("create on the third", func() error { return l.flannel.Create(t.Context(), all[1]) })
	if running, err := l.flannel.Running(t.Context()); err != nil || !slices.Equal(running, all) {
		t.Errorf("flanneld runs on %v, %v; want all", running, err)
	}
}

// The remedy of flannel's pods is a kubectl command without a node.
func testKubectl(t *testing.T, l *Lab) {
	out, err := machine.Output(t.Context(), l.API(), "kubectl", "-n", "kube-flannel", "get", "pods", "-l", "app=flannel",
		"--field-selector", "spec.nodeName="+l.nodes[1].name, "--no-headers")
	if err != nil || len(strings.Split(strings.TrimSpace(string(out)), "\n")) != 1 {
		t.Errorf("flannel's pod on %s: %q, %v", l.nodes[1].name, out, err)
	}
}

func testOpen(t *testing.T, l *Lab) {
	opened, err := Open(t.Context(), l.name)
	if err != nil {
		t.Fatal(err)
	}
	results, err := probe.Run(t.Context(), opened)
	if err := errors.Join(err, probe.AllPass(opened, results)); err != nil {
		t.Errorf("the lab as another process opens it: %v", err)
	}
	if opened.Flannel().Version() != l.Flannel().Version() || opened.Outside().Address != l.Outside().Address {
		t.Errorf("opened %v %v, made %v %v", opened.Flannel().Version(), opened.Outside().Address, l.Flannel().Version(), l.Outside().Address)
	}
	if _, err := Open(t.Context(), "nobody"); err == nil || !strings.Contains(err.Error(), "lab up") {
		t.Errorf("a lab that is not there: %v", err)
	}
}

func testSnapshot(t *testing.T, l *Lab) {
	dir := filepath.Join(t.TempDir(), "bundle")
	if _, err := snapshot.Take(t.Context(), l, "test", dir); err != nil {
		t.Fatal(err)
	}
	bundle, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range detectors.Run(t.Context(), bundle, all.Detectors()).Findings {
		if f.Verdict != detectors.Clean && f.Verdict != detectors.NotApplicable {
			t.Errorf("%s: %s: %s %v", f.Detector, f.Verdict, f.Summary, f.Evidence)
		}
	}
}

// Whatever has stopped, there is a report: what could not be had is unknown, and the rest is judged.
func testStopped(t *testing.T, l *Lab) {
	for _, c := range []struct {
		stop *node
		// missing is what could not be had, and unknown the detectors that cannot tell for that.
		missing, unknown []string
	}{
		{l.nodes[2], []string{"collect node " + l.nodes[2].name}, []string{"stale-vtep", "pod-snat"}},
		{l.nodes[0], []string{"collect node " + l.nodes[0].name, "leases: "}, []string{"stale-vtep", "pod-snat", "dns-reachability"}},
	} {
		if _, err := l.engine.Output(t.Context(), "stop", "--time=0", c.stop.name); err != nil {
			t.Fatal(err)
		}
		why := "the container " + c.stop.name + " does not run"
		var broken *lab.BrokenError
		if _, err := Open(t.Context(), l.name); !errors.As(err, &broken) || !strings.Contains(err.Error(), why) {
			t.Errorf("opened whole: %v; want that %s", err, why)
		}
		opened, err := OpenPartly(t.Context(), l.name)
		if err != nil {
			t.Fatal(err)
		}
		report, missing := judge(t, opened)
		for _, want := range c.missing {
			if !strings.Contains(missing, want+": "+why) && !strings.Contains(missing, want+why) {
				t.Errorf("what could not be had does not name %q, for %s:\n%s", want, why, missing)
			}
		}
		found := map[string]bool{}
		for _, f := range report.Findings {
			found[f.Detector+" "+string(f.Verdict)] = true
		}
		for _, name := range c.unknown {
			if !found[name+" "+string(detectors.Unknown)] {
				t.Errorf("%s stopped, and %s is sure: %v", c.stop.name, name, found)
			}
		}
		if !found["pod-reachability "+string(detectors.Problem)] {
			t.Errorf("%s stopped, and nobody misses its pods: %v", c.stop.name, found)
		}
	}
}
