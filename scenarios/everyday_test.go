package scenarios_test

import (
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
)

// thorough is the label of the specs that `make e2e` leaves to FOCUS=thorough. Who writes a detector waits each day for the life of
// every fault and for what shows that a life can fail; these hold the harness, each case that is set by hand, and the exercises.
const thorough = "thorough"

// thoroughLabels are the other labels of such specs, each of which picks them, too.
var thoroughLabels []string

// thoroughly labels specs that are not everyday's.
func thoroughly(labels ...string) Labels {
	thoroughLabels = append(thoroughLabels, labels...)
	return Label(append(labels, thorough)...)
}

// everyday leaves out of what FOCUS picks the specs that take long, unless it names them: some have their scenario's label, too.
func everyday(focus string) string {
	names := func(label string) bool { return strings.Contains(focus, label) }
	var terms []string
	if focus != "" {
		terms = append(terms, "("+focus+")")
	}
	for _, label := range killLabels {
		if !names(label) {
			terms = append(terms, "!"+label)
		}
	}
	if !names(thorough) && !slices.ContainsFunc(thoroughLabels, names) {
		terms = append(terms, "!"+thorough)
	}
	return strings.Join(terms, " && ")
}

func TestEveryday(t *testing.T) {
	for focus, want := range map[string]string{
		"":                      "!sigkill && !chaos && !thorough",
		"stale-vtep":            "(stale-vtep) && !sigkill && !chaos && !thorough",
		"thorough":              "(thorough) && !sigkill && !chaos",
		"ways && kyoto":         "(ways && kyoto) && !sigkill && !chaos",
		"healed && stale-arp":   "(healed && stale-arp) && !sigkill && !chaos",
		"sigkill && stale-vtep": "(sigkill && stale-vtep) && !chaos && !thorough",
	} {
		if got := everyday(focus); got != want {
			t.Errorf("FOCUS=%q runs %q, want %q", focus, got, want)
		}
	}
}
