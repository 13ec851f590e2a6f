package scenarios_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
)

// In every recorded bundle of a fault, problems are of one cause, which explains all symptoms: those of several nodes are of one
// case. Nothing is left that no cause explains, and nothing explains what is not there.
func TestRecordedFaultsAreExplained(t *testing.T) {
	dirs, err := filepath.Glob("../fixtures/bundles/*/faulty")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no recorded faults, %v", err)
	}
	causes := map[string]bool{}
	for _, d := range all.Detectors() {
		causes[d.Name] = d.Kind == detectors.Cause
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(filepath.Dir(dir)), func(t *testing.T) {
			r := judge(t, dir)
			var cases, symptoms, explained []string
			for _, f := range r.Findings {
				switch {
				case f.Verdict != detectors.Problem:
				case causes[f.Detector]:
					cases = append(cases, f.Detector+"/"+f.Case)
					explained = append(explained, f.Explains...)
				default:
					symptoms = append(symptoms, f.ID)
				}
			}
			slices.Sort(explained)
			slices.Sort(symptoms)
			if len(slices.Compact(cases)) != 1 {
				t.Errorf("causes are %q, want one", cases)
			}
			if len(r.Unexplained) > 0 {
				t.Errorf("nothing explains %q", r.Unexplained)
			}
			if explained = slices.Compact(explained); !slices.Equal(explained, symptoms) {
				t.Errorf("explained are %q, and symptoms %q", explained, symptoms)
			}
		})
	}
}
