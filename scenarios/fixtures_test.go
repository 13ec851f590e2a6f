package scenarios_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/stalevtep"
	"github.com/netfault/netfault/framework/gate"
	"github.com/netfault/netfault/scenarios"
)

// fixtures is the folder of the bundles that `make fixtures` recorded from real runs, a folder for each scenario.
var fixtures = filepath.Join("..", "fixtures", "bundles")

// forEachFixture calls test for each bundle of each fixture, with the problems that must be reported on it.
func forEachFixture(t *testing.T, test func(t *testing.T, bundle string, want []gate.Said)) {
	folders, err := os.ReadDir(fixtures)
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		dir := filepath.Join(fixtures, folder.Name())
		w, err := gate.ReadWant(dir)
		if err != nil {
			t.Errorf("%v: `make fixtures FOCUS=%s` records it anew", err, folder.Name())
		}
		for bundle, want := range w {
			t.Run(folder.Name()+"/"+bundle, func(t *testing.T) { test(t, filepath.Join(dir, bundle), want) })
		}
	}
}

// Each scenario has its fixture, with what must be said of each of the bundles there, and there are no others.
func TestEveryScenarioHasItsFixture(t *testing.T) {
	var names []string
	for _, s := range scenarios.All() {
		names = append(names, s.Name)
		w, err := gate.ReadWant(filepath.Join(fixtures, s.Name))
		if err != nil {
			t.Errorf("scenario %s has no recorded bundles (%v): run `make fixtures FOCUS=%s`", s.Name, err, s.Name)
			continue
		}
		if !slices.ContainsFunc(slices.Collect(maps.Values(w)), func(want []gate.Said) bool {
			return slices.ContainsFunc(want, func(p gate.Said) bool { return p.Detector == s.Detector.Name })
		}) {
			t.Errorf("no bundle of scenario %s shows its fault: run `make fixtures FOCUS=%s`", s.Name, s.Name)
		}
	}
	found, err := filepath.Glob(filepath.Join(fixtures, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		name, bundle := filepath.Base(filepath.Dir(path)), filepath.Base(path)
		if !slices.Contains(names, name) {
			t.Errorf("%s: there is no scenario %s", path, name)
			continue
		}
		w, _ := gate.ReadWant(filepath.Dir(path)) // the error was told above
		if _, ok := w[bundle]; !ok && bundle != gate.WantFile {
			t.Errorf("%s: %s says nothing of it: run `make fixtures FOCUS=%s`", path, gate.WantFile, name)
		}
	}
}

// A bundle collected by hand has no probes and no lab: the verdict on the cause must be the same.
func TestRecordedBundlesWithoutProbes(t *testing.T) {
	forEachFixture(t, func(t *testing.T, bundle string, want []gate.Said) {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(bundle)); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, evidence.ProbesFile)); err != nil {
			t.Fatal(err)
		}
		report := judge(t, dir)
		if got, exit := report.ExitCode(detectors.FailOnUnknown), min(len(want), 1); got != exit {
			t.Errorf("exit code %d, want %d: %+v", got, exit, report.Findings)
		}
	})
}

// Every file that is cut off must make the verdict unknown or leave it as it was; never clean where there is a fault.
func TestTruncatedRecordedBundleIsNeverFine(t *testing.T) {
	source := filepath.Join(fixtures, "stale-vtep", "faulty")
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
