package gate

import (
	"testing"

	"github.com/netfault/netfault/framework/fault"
)

func answer(unknown bool, problems ...fault.Subject) Answer {
	return Answer{Problems: problems, Unknown: unknown}
}

var (
	stale   = fault.Subject{Case: "observer-stale", Node: "n2", Peer: "n1"}
	missing = fault.Subject{Case: "fdb-missing", Node: "n2", Peer: "n1"}
	third   = fault.Subject{Case: "observer-stale", Node: "n3", Peer: "n1"}
)

func TestCells(t *testing.T) {
	for _, c := range []struct {
		name         string
		want, got    Answer
		was          Outcome
		right        bool
		what, where  int
		missed, more int
	}{
		{"all, and no more", answer(false, stale, third), answer(false, third, stale), Hit, true, 2, 2, 0, 0},
		{"nothing there, nothing said", answer(false), answer(false), Silence, true, 0, 0, 0, 0},
		{"unknown, and said to be", answer(true), answer(true), Abstained, true, 0, 0, 0, 0},
		{"one of two", answer(false, stale, third), answer(false, stale), Miss, false, 2, 1, 1, 0},
		{"the right place, another case", answer(false, stale), answer(false, missing), Miss, false, 0, 1, 1, 1},
		{"the right case, another place", answer(false, stale), answer(false, third), Miss, false, 1, 0, 1, 1},
		{"one too much", answer(false, stale), answer(false, stale, third), FalseAlarm, false, 1, 1, 0, 1},
		{"one where there is none", answer(false), answer(false, stale), FalseAlarm, false, 0, 0, 0, 1},
		{"one where nobody can tell", answer(true), answer(true, stale), FalseAlarm, false, 0, 0, 0, 1},
		{"cannot tell what is there", answer(false, stale), answer(true), Abstained, false, 0, 0, 1, 0},
		{"cannot tell what is healthy", answer(false), answer(true), Abstained, false, 0, 0, 0, 0},
		{"calls fine what nobody can tell", answer(true), answer(false), Silence, false, 0, 0, 0, 0},
		{"says nothing of what is unknown beside it", answer(true, stale), answer(false, stale), Hit, false, 1, 1, 0, 0},
		{"unknown beside a problem", answer(true, stale), answer(true, stale), Hit, true, 1, 1, 0, 0},
		{"no answer", answer(false), Answer{Err: "exit status 3"}, Error, false, 0, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Compare(Source{Want: Answers{"stale-vtep": c.want}}, "stale-vtep", c.got)
			if got.Was != c.was || got.Right != c.right || (got.Why == "") != c.right {
				t.Errorf("was %s, right %t: %q", got.Was, got.Right, got.Why)
			}
			if got.What != c.what || got.Where != c.where || len(got.Missed) != c.missed || len(got.Extra) != c.more {
				t.Errorf("what %d, where %d, missed %v, extra %v", got.What, got.Where, got.Missed, got.Extra)
			}
		})
	}
}

// What was missed is paired with what was said in its place, the nearest first.
func TestConfusions(t *testing.T) {
	source := Source{Kind: Case, Name: "x"}
	got := confusions([]Cell{
		{Bundle: source, Detector: "stale-vtep", Missed: []fault.Subject{stale, third}, Extra: []fault.Subject{missing}},
		{Bundle: source, Detector: "pod-snat", Extra: []fault.Subject{{Case: "rule", Node: "n9"}}},
		{Bundle: Source{Name: "y"}, Detector: "stale-vtep", Was: Abstained, Missed: []fault.Subject{stale}},
		{Bundle: Source{Name: "z"}, Detector: "stale-vtep", Missed: []fault.Subject{stale}, Extra: []fault.Subject{third}},
	})
	want := []Confusion{
		{Nothing, "pod-snat/rule", 1},
		{"stale-vtep/observer-stale", Nothing, 1},
		{"stale-vtep/observer-stale", "stale-vtep/fdb-missing", 1},
		{"stale-vtep/observer-stale", "stale-vtep/observer-stale elsewhere", 1},
		{"stale-vtep/observer-stale", NotTold, 1},
	}
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %v, want %v", got[i], want[i])
		}
	}
}

func TestWords(t *testing.T) {
	for command, want := range map[string][]string{
		`my-detector --bundle {bundle}`: {"my-detector", "--bundle", "{bundle}"},
		`a  'b c' "d \"e\" \f" g\ h ""`: {"a", "b c", `d "e" \f`, "g h", ""},
		"a;b $HOME `c` *":               {"a;b", "$HOME", "`c`", "*"},
		`a'b'"c"`:                       {"abc"},
	} {
		got, err := Words(command)
		if err != nil || len(got) != len(want) {
			t.Errorf("%s: %q, %v", command, got, err)
			continue
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: got %q, want %q", command, got, want)
			}
		}
	}
	for _, command := range []string{"", "  ", `a "b`, `a 'b`, `a \`} {
		if got, err := Words(command); err == nil {
			t.Errorf("%s: %q", command, got)
		}
	}
}
