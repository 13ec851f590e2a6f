package scenarios_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/detectors/detectortest"
	"github.com/netfault/netfault/scenarios"
)

// No detector without a fault, no fault without a detector.
func TestEveryFaultHasItsDetectorAndEveryCauseItsFault(t *testing.T) {
	var used []string
	for _, s := range scenarios.All() {
		i := slices.IndexFunc(all.Detectors(), func(d detectors.Detector) bool { return d.Name == s.Detector.Name })
		if i < 0 || all.Detectors()[i].Kind != detectors.Cause {
			t.Errorf("scenario %s: there is no detector of a cause named %q", s.Name, s.Detector.Name)
		}
		used = append(used, s.Detector.Name)
		t.Run(s.Name, func(t *testing.T) {
			detectortest.TidyWriteup(t, s.Writeup.English, s.Writeup.Chinese, nil)
			detectortest.FilledIn(t, s.Name)
		})
	}
	for _, d := range all.Detectors() {
		if d.Kind == detectors.Cause && !slices.Contains(used, d.Name) {
			t.Errorf("detector %s has no scenario", d.Name)
		}
	}
}

func TestByNameTellsWhatThereIs(t *testing.T) {
	if _, err := scenarios.ByName("stale-vtep"); err != nil {
		t.Error(err)
	}
	if _, err := scenarios.ByName("nonsense"); err == nil || !strings.Contains(err.Error(), "vtep-lease-drift") {
		t.Errorf("error %v does not say which faults there are", err)
	}
}
