package scenarios_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/stalevtep"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/scenarios"
)

// recorded says what the detector must report on the bundles that `make fixtures` recorded from real runs.
var recorded = map[string][]fault.Subject{
	"stale-vtep":       {{Case: "observer-stale", Node: "n2", Peer: "n1"}},
	"vtep-lease-drift": {{Case: "lease-stale", Node: "n2"}},
	"dockerd-ip-masq":  {{Case: "dockerd", Node: "n1"}, {Case: "dockerd", Node: "n2"}, {Case: "dockerd", Node: "n3"}},
	"tw-recycle":       {{Case: "behaviour", Node: "n1"}},
}

func TestRecordedBundles(t *testing.T) {
	for _, s := range scenarios.All() {
		want, ok := recorded[s.Name]
		if !ok {
			t.Errorf("scenario %s has no recorded bundles: run make fixtures, and say here what must be reported", s.Name)
		}
		dir := filepath.Join("..", "fixtures", "bundles", s.Name)
		for _, phase := range []string{"healthy", "healed"} {
			t.Run(s.Name+"/"+phase, func(t *testing.T) {
				for _, f := range judge(t, filepath.Join(dir, phase)).Findings {
					if f.Verdict != detectors.Clean && f.Verdict != detectors.NotApplicable {
						t.Errorf("%s: %s: %s", f.Detector, f.Verdict, f.Summary)
					}
				}
			})
		}
		t.Run(s.Name+"/faulty", func(t *testing.T) {
			var found []fault.Subject
			for _, f := range judge(t, filepath.Join(dir, "faulty")).Findings {
				switch {
				case f.Detector == s.Detector.Name && f.Verdict == detectors.Problem:
					found = append(found, fault.Subject{Case: f.Case, Node: f.Node, Peer: f.Peer})
				case isCause(f.Detector) && f.Verdict != detectors.Clean && f.Verdict != detectors.NotApplicable:
					t.Errorf("%s is not silent: %s: %s", f.Detector, f.Verdict, f.Summary)
				}
			}
			if !slices.Equal(found, want) {
				t.Errorf("%s reports %+v, want %+v", s.Detector.Name, found, want)
			}
		})
	}
}

// A bundle collected by hand has no probes and no lab: the verdict on the cause must be the same.
func TestRecordedBundlesWithoutProbes(t *testing.T) {
	for name := range recorded {
		for phase, exit := range map[string]int{"healthy": 0, "faulty": 1} {
			t.Run(name+"/"+phase, func(t *testing.T) {
				dir := t.TempDir()
				if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "fixtures", "bundles", name, phase))); err != nil {
					t.Fatal(err)
				}
				if err := os.Remove(filepath.Join(dir, evidence.ProbesFile)); err != nil {
					t.Fatal(err)
				}
				report := judge(t, dir)
				if got := report.ExitCode(detectors.FailOnUnknown); got != exit {
					t.Errorf("exit code %d, want %d: %+v", got, exit, report.Findings)
				}
			})
		}
	}
}

// Every file that is cut off must make the verdict unknown or leave it as it was; never clean where there is a fault.
func TestTruncatedRecordedBundleIsNeverFine(t *testing.T) {
	source := filepath.Join("..", "fixtures", "bundles", "stale-vtep", "faulty")
	for _, file := range []string{"cluster/leases.json", "nodes/n1/ip-link.json", "nodes/n2/ip-neigh.json", "nodes/n2/bridge-fdb.json"} {
		t.Run(strings.ReplaceAll(file, "/", " "), func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, file)
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, whole[:len(whole)/2], 0o644); err != nil {
				t.Fatal(err)
			}
			said := ""
			for _, f := range judge(t, dir).Findings {
				if f.Detector != stalevtep.Detector.Name {
					continue
				}
				if f.Verdict == detectors.Clean {
					t.Errorf("clean: %s", f.Summary)
				}
				text, err := json.Marshal(f)
				if err != nil {
					t.Fatal(err)
				}
				said += string(text)
			}
			if !strings.Contains(said, file) {
				t.Errorf("no finding names %s: %s", file, said)
			}
		})
	}
}

func judge(t *testing.T, dir string) detectors.Report {
	t.Helper()
	b, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return detectors.Run(t.Context(), b, all.Detectors())
}

func isCause(name string) bool {
	return slices.ContainsFunc(all.Detectors(), func(d detectors.Detector) bool { return d.Name == name && d.Kind == detectors.Cause })
}
