package training

import (
	"os"
	"strings"
	"testing"
)

const scenario = "../../scenarios/stale-vtep/"

func texts(t *testing.T) (english, chinese string) {
	t.Helper()
	en, err := os.ReadFile(scenario + "training.md")
	if err != nil {
		t.Fatal(err)
	}
	zh, err := os.ReadFile(scenario + "training.zh.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(en), string(zh)
}

func TestAnExerciseIsRead(t *testing.T) {
	e, err := Parse(texts(t))
	if err != nil {
		t.Fatal(err)
	}
	if e.Code != "lisbon" || e.Difficulty != 2 || e.Minutes != 25 || len(e.Solution) != 2 || len(e.Events) != 2 || len(e.Ways) < 5 {
		t.Errorf("%+v", e)
	}
	if l := e.Solution[0]; l.Machine != "{n2}" || !strings.HasPrefix(l.Command, "ip neigh replace {n1.vtep} ") {
		t.Errorf("first command: %+v", l)
	}
	for _, language := range Languages {
		text := e.Text(language)
		if text.Pager == "" || text.Hops == "" || text.Hard == "" || text.Incident == "" || text.Prevention == "" || e.Events[1].Name[language] == "" {
			t.Errorf("%s: %+v", language, text)
		}
		if h := text.HintFor("observer-stale"); !strings.Contains(h[0], "`{peer}`") || !strings.Contains(h[1], "{actual}") || h[2] == "" {
			t.Errorf("%s: %q", language, h)
		}
		if text.HintFor("never heard of") != text.Hints[Otherwise] {
			t.Errorf("%s: a case without a hint of its own has none", language)
		}
	}
}

// An author is told of all that is wrong, where it stands.
func TestWhatIsWrongIsToldByItsLine(t *testing.T) {
	english, chinese := texts(t)
	for _, c := range []struct {
		name, old, new string
		inChinese      bool
		want           string
	}{
		{"a title that is no word", "# Lisbon", "# Lisbon 2", false, `training.md:1: "Lisbon 2" cannot be a code`},
		{"no difficulty", "Difficulty: 2", "Difficulty: hard", false, `training.md:3: "Difficulty: hard"`},
		{"an unknown heading", "## Pager", "## Pagers", false, `training.md:6: unknown heading "Pagers"`},
		{"a heading that is missing", "## Pager", "## Pagers", false, `there is no heading "Pager"`},
		{"a heading twice", "## Hints", "## Pager", false, `"Pager" is there twice`},
		{"a placeholder of nothing", "`{n1}` cannot reach", "`{n4}` cannot reach", false, "training.md:6: unknown placeholder {n4}"},
		{"a finding's value in the pager", "`{n1}` cannot reach", "{actual} cannot reach", false, "training.md:6: unknown placeholder {actual}"},
		{"a hint of two steps", "3. Nothing on", "And nothing on", false, `hint "observer-stale": want a numbered list of 3`},
		{"no hint for the rest", "### otherwise", "### more", false, `there is no hint "otherwise"`},
		{"a verdict that is none", "runs there again: healed", "runs there again: fine", false, "one of the verdicts"},
		{"a cheat without its reason", "> pods of {n3} → pods of {n1}\n", "", false, "say in a line"},
		{"a command without its machine", "{n2}# {n2.start}", "{n2.start}", false, "want MACHINE# COMMAND"},
		{"a quote that is open", "{n2}# {n2.start}", "{n2}# '{n2.start}", false, "a quote is not closed"},
		{"another kind of lab", "Minutes: 25", "Minutes: 25\nLabs: kind", false, "\"Labs: netns\" where"},
		{"a place in prose", "- {n2}: `bridge fdb`", "- the fdb", false, "want - MACHINE: `COMMAND`"},
		{"an English heading in Chinese", "## 告警", "## Pager", true, `training.zh.md:3: unknown heading "Pager"`},
		{"an event that is not translated", "### 内核忘掉学到的邻居\n", "", true, "1 events, want 2"},
		{"a hint that is not translated", "### fdb-missing", "### fdb-gone", true, `there is no hint "fdb-missing"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			en, zh := english, chinese
			if c.inChinese {
				zh = strings.Replace(zh, c.old, c.new, 1)
			} else {
				en = strings.Replace(en, c.old, c.new, 1)
			}
			if en == english && zh == chinese {
				t.Fatalf("%q is not in the text any more", c.old)
			}
			_, err := Parse(en, zh)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestNamesThatLeakAreFound(t *testing.T) {
	english, chinese := texts(t)
	for _, c := range []struct{ old, new, want string }{
		{"Both nodes answer ping", "A stale VTEP. Both nodes answer ping", `lisbon, en: the pager contains "stale-vtep"`},
		{"3. Nothing on `{node}`", "3. Netfault says that nothing on `{node}`", `lisbon, en: hint 3 for observer-stale contains "netfault"`},
	} {
		e, err := Parse(strings.Replace(english, c.old, c.new, 1), chinese)
		if err != nil {
			t.Fatal(err)
		}
		if leaks := e.Leaks([]string{"stale-vtep", "netfault"}); len(leaks) != 1 || leaks[0] != c.want {
			t.Errorf("%q, want %q", leaks, c.want)
		}
	}
	// The debrief may name everything.
	e, err := Parse(strings.Replace(english, "## The real incident\n", "## The real incident\nstale-vtep\n", 1), chinese)
	if err != nil || len(e.Leaks([]string{"stale-vtep"})) > 0 {
		t.Errorf("%q, %v", e.Leaks([]string{"stale-vtep"}), err)
	}
}
