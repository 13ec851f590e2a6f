package detectors

import (
	"cmp"
	"context"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/netfault/netfault/detectors/evidence"
)

// three is what probes try in a cluster of three nodes, of which the first has the name server.
func three() map[call]bool {
	tried := map[call]bool{}
	nodes := []string{"n1", "n2", "n3"}
	for _, from := range nodes {
		for _, to := range nodes {
			tried[call{"service", from, to}] = true
			tried[call{"nodeport", from, to}] = true
			tried[call{"pod", from, to}] = true
		}
		tried[call{"dns", from, "n1"}] = true
		tried[call{"egress", from, "host"}] = true
	}
	return tried
}

func TestCommon(t *testing.T) {
	overlay := func(c call) bool { return c.kind != "egress" }
	for name, c := range map[string]struct {
		broken func(call) bool
		want   string
	}{
		"nothing":                 {func(call) bool { return false }, ""},
		"one alone":               {func(c call) bool { return c == call{"pod", "n1", "n2"} }, ""},
		"everything":              {func(call) bool { return true }, "all of the probes show it"},
		"a node":                  {func(c call) bool { return c.from == "n3" || c.to == "n3" }, "all of it concerns n3"},
		"a node and the overlay":  {func(c call) bool { return overlay(c) && c.crosses() && (c.from == "n2" || c.to == "n2") }, "all of it concerns n2"},
		"from a node":             {func(c call) bool { return c.from == "n3" }, "all of it comes from n3"},
		"to a node":               {func(c call) bool { return c.to == "n3" }, "all of it goes to n3"},
		"one way":                 {func(c call) bool { return c.from == "n1" && c.to == "n2" }, "all of it goes from n1 to n2"},
		"a pair":                  {func(c call) bool { return c.crosses() && c.from != "n3" && c.to != "n3" }, "all of it is between n1 and n2"},
		"DNS":                     {func(c call) bool { return c.kind == "dns" }, "all of it is dns, and all of these probes show it"},
		"egress":                  {func(c call) bool { return c.kind == "egress" }, "all of it is egress, and all of these probes show it"},
		"NodePorts of a node":     {func(c call) bool { return c.kind == "nodeport" && c.to == "n2" }, "all of it is nodeport; all of it goes to n2"},
		"some Services and ports": {func(c call) bool { return (c.kind == "nodeport" || c.kind == "service") && c.to != c.from }, "all of it is nodeport and service; all of it crosses between nodes, and what stays on its node is answered"},
		"between nodes":           {call.crosses, "all of it crosses between nodes, and what stays on its node is answered"},
		"within nodes":            {func(c call) bool { return c.from == c.to }, "all of it stays on the node that it comes from"},
		"within a node":           {func(c call) bool { return c.from == c.to && c.from == "n2" }, "all of it stays on n2"},
		"nothing in common":       {func(c call) bool { return c.from == "n1" && c.to == "n2" || c.from == c.to && c.from == "n3" }, ""},
	} {
		tried := three()
		var broken []call
		for call := range tried {
			if c.broken(call) {
				broken = append(broken, call)
				tried[call] = false
			}
		}
		slices.SortFunc(broken, func(a, b call) int {
			return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
		})
		if got := common(broken, tried); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// What stays on its node is said to be answered only if it is, though another cause may explain it.
func TestCommonSaysNothingOfOthers(t *testing.T) {
	tried := three()
	tried[call{"pod", "n3", "n3"}] = false
	broken := []call{{"pod", "n1", "n2"}, {"pod", "n2", "n3"}, {"service", "n3", "n1"}, {"nodeport", "n1", "n2"}}
	if got := common(broken, tried); got != "all of it crosses between nodes" {
		t.Errorf("%q", got)
	}
}

// What is suppressed has nothing to have in common.
func TestRunSetsCommon(t *testing.T) {
	probes := `[{"kind":"pod","from":"n1","to":"n2"},{"kind":"pod","from":"n2","to":"n1"},{"kind":"pod","from":"n3","to":"n1"},
		{"kind":"pod","from":"n3","to":"n2","ok":true},{"kind":"pod","from":"n2","to":"n3","ok":true}]`
	symptom := Detector{Name: "pods", Kind: Symptom, Cases: []Case{{Name: "lost"}}, Detect: func(context.Context, *evidence.Bundle) []Finding {
		var found []Finding
		for _, ends := range [][2]string{{"n1", "n2"}, {"n2", "n1"}, {"n3", "n1"}} {
			found = append(found, Finding{Verdict: Problem, Case: "lost", Node: ends[0], Peer: ends[1],
				Breaks: []Breakage{{Kinds: []string{"pod"}, Effect: Lost, From: ends[0], To: ends[1]}}})
		}
		return found
	}}
	b := evidence.New(fstest.MapFS{evidence.ProbesFile: {Data: []byte(probes)}})
	r := Run(t.Context(), b, []Detector{symptom})
	if r.Common != "all of it concerns n1" {
		t.Errorf("%q", r.Common)
	}
	r.Suppress([]Suppression{{ID: "pods/lost/n3/*", Until: "2999-12-31", Reason: "known"}}, time.Now())
	if r.Common != "all of it is between n1 and n2" {
		t.Errorf("with n3's suppressed: %q", r.Common)
	}
}
