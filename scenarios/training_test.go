package scenarios_test

import (
	"strings"
	"testing"

	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/framework/training"
	"github.com/netfault/netfault/scenarios"
)

// Every fault can be trained, and what is told before the debrief gives none away.
func TestEveryFaultHasItsExercise(t *testing.T) {
	exercises, err := training.Validate(scenarios.All(), all.Detectors())
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range exercises {
		s := scenarios.All()[i]
		wrong := map[training.Verdict]int{}
		for _, w := range e.Ways {
			wrong[w.Verdict]++
		}
		for _, v := range []training.Verdict{training.Broken, training.Lucky, training.Damage} {
			if wrong[v] == 0 {
				t.Errorf("%s: no way comes to the verdict %q", s.Name, v)
			}
		}
	}
}

func TestAnExerciseThatGivesItsFaultAwayIsFound(t *testing.T) {
	list := scenarios.All()
	list[1].Training.Chinese = strings.Replace(list[1].Training.Chinese, "## 告警\n", "## 告警\nlease stale: ", 1)
	list[2].Training = list[3].Training
	_, err := training.Validate(list, all.Detectors())
	for _, want := range []string{
		`scenario vtep-lease-drift: oslo, zh: the pager contains "lease-stale"`, `has the code "kyoto", too`, `there is a hint for "behaviour"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
