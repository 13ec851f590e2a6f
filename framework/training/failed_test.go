package training

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What fails in a start is named by the fault's own steps, which nobody is to read who has to find it.
func TestFailedStartSpoilsNothing(t *testing.T) {
	dir := t.TempDir()
	s := &Site{Attempt: &Attempt{dir: filepath.Join(dir, "1-lisbon")}, Exercise: &Exercise{Code: "lisbon"}}
	why := errors.New("stale-vtep: step \"injected\": it still has 0a:00")
	err := s.spoils(why)
	for _, language := range Languages {
		if said := InLanguage(err, language).Error(); strings.Contains(said, "stale") || !strings.Contains(said, dir) {
			t.Errorf("%s: %s", language, said)
		}
	}
	if said, err := os.ReadFile(filepath.Join(dir, failedFile)); err != nil || !strings.Contains(string(said), "lisbon: stale-vtep: step") {
		t.Errorf("%s, %v", said, err)
	}
	if both := InLanguage(errors.Join(err, errors.New("and it is not removed")), Chinese).Error(); !strings.Contains(both, "没能把") || !strings.Contains(both, "not removed") {
		t.Errorf("with what comes of it: %s", both)
	}
	if !errors.Is(err, why) {
		t.Error("authors cannot have the reason")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("ended by SIGINT")
	cancel(cause)
	if err := ended(ctx); !errors.Is(err, cause) || InLanguage(err, Chinese).Error() != "被 SIGINT 中断" {
		t.Errorf("a start that was ended: %v", InLanguage(err, Chinese))
	}
}
