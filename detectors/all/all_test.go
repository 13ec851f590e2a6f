package all

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/netfault/netfault/detectors"
)

// Every folder with a detector is in the list, once and in its place.
func TestListIsWhole(t *testing.T) {
	files, err := filepath.Glob("../*/detector.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %q, %v", files, err)
	}
	var folders, listed []string
	for _, f := range files {
		folders = append(folders, filepath.Base(filepath.Dir(f)))
	}
	for _, d := range list {
		listed = append(listed, strings.ReplaceAll(d.Name, "-", ""))
	}
	if !slices.Equal(listed, folders) {
		t.Errorf("listed are %q, and there are %q", listed, folders)
	}
}

// The test of every folder is that of package detectortest.
func TestEveryDetectorIsHeldToTheSame(t *testing.T) {
	for _, d := range list {
		file := filepath.Join("..", strings.ReplaceAll(d.Name, "-", ""), "detector_test.go")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
		}
		if !strings.Contains(string(text), "detectortest.Run(t, Detector)") {
			t.Errorf("%s does not call detectortest.Run", file)
		}
	}
}

func TestCausesStandBeforeSymptoms(t *testing.T) {
	var kinds []detectors.Kind
	for _, d := range Detectors() {
		kinds = append(kinds, d.Kind)
	}
	if !slices.IsSorted(kinds) || kinds[0] != detectors.Cause {
		t.Errorf("the order is %q", kinds)
	}
}
