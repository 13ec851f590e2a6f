// Package training makes exercises of faults: a pager's text, a live network that is broken, a check that judges what a learner did by
// its effects, hints from the live evidence, and a debrief. It knows no scenario: each brings its exercise as a text.
package training

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/labs"
)

// Language is one in which every exercise is written.
type Language string

// The languages are those of the incidents' write-ups.
const (
	English Language = "en"
	Chinese Language = "zh"
)

// Languages are all of them.
var Languages = []Language{English, Chinese}

// Exercise is a fault as a learner meets it. Parse reads it.
type Exercise struct {
	// Code is the name that gives nothing away, such as "lisbon".
	Code string
	// Difficulty is from 1, a matter of one look, to 3.
	Difficulty int
	// Minutes is how long somebody may take who has not seen the fault before.
	Minutes int
	// Labs are the kinds of labs that its commands are for; all if empty.
	Labs []labs.Kind
	// Texts are what a learner reads.
	Texts map[Language]Text
	// Before are commands that are run on the healthy lab, to make room for learning; mostly none.
	Before []Line
	// Places are where the cause can be seen, and Ideas what a learner does who has understood it. Both are for the time line alone:
	// no check asks for them.
	Places, Ideas []Place
	// Events are what happens on every cluster some day. A network that they break is not healed, though its traffic passes.
	Events []Event
	// Solution are the write-up's commands.
	Solution []Line
	// Ways are others than the solution, each with what it must be called: other remedies, half ones, and such as hide the symptom.
	Ways []Way
}

// Text is an exercise in one language.
type Text struct {
	// Title is the code as it is written in the language.
	Title string
	// Pager is what the pager says: the symptom, and nothing else.
	Pager string
	// Hints are by the case of the finding that they are about; Otherwise is for all other cases.
	Hints map[string]Hint
	// Hops says what happened to a packet, hop by hop.
	Hops string
	// Hard says why it was hard to see, Incident what happened in life, Prevention how to prevent and to monitor it.
	Hard, Incident, Prevention string
}

// Hint has three steps: where to look, what the evidence there means, and nearly the answer.
type Hint [3]string

// Otherwise is the key of the hint for cases that have none of their own.
const Otherwise = "otherwise"

// Line is a command and where it is run, both with placeholders.
type Line struct {
	// Machine is the machine's name, "{each}" for one command on each node, or "{rest}" for all nodes but the first.
	Machine string
	Command string
	// At is its line in the text.
	At int
}

// Place is a machine and the words with which a command begins that looks there.
type Place struct {
	Machine string
	Words   []string
}

// Event is something that happens on every cluster some day.
type Event struct {
	// Name is it in a few words, by language.
	Name  Told
	Lines []Line
}

// Way is something that a learner may do in place of the solution.
type Way struct {
	Name string
	// Verdict is what the check must say of it.
	Verdict Verdict
	// Says is a part of what the check must say, so that it is refused for its right reason; with placeholders.
	Says  string
	Lines []Line
}

// Verdict is what a check comes to.
type Verdict string

const (
	// Broken is that the symptom is there.
	Broken Verdict = "broken"
	// Lucky is that traffic passes, and that the cause is still there: an everyday event brings the symptom back.
	Lucky Verdict = "lucky"
	// Damage is that the symptom is gone, and something else that was there, too.
	Damage Verdict = "damage"
	// Healed is that traffic passes and goes on passing, the cause is gone, and nothing else is.
	Healed Verdict = "healed"
)

// Verdicts are all of them.
var Verdicts = []Verdict{Broken, Lucky, Damage, Healed}

// On reports whether there is the exercise on a kind of lab.
func (e Exercise) On(k labs.Kind) bool { return len(e.Labs) == 0 || slices.Contains(e.Labs, k) }

// Text returns the exercise in a language.
func (e Exercise) Text(l Language) Text { return e.Texts[l] }

// HintFor returns the hint for a case.
func (t Text) HintFor(findingCase string) Hint {
	if h, ok := t.Hints[findingCase]; ok {
		return h
	}
	return t.Hints[Otherwise]
}

// Leaks lists the words of names that what a learner reads before the debrief contains: the pager, and every hint.
func (e Exercise) Leaks(names []string) []string {
	var found []string
	for _, language := range Languages {
		t := e.Texts[language]
		texts := map[string]string{"the pager": t.Pager, "the title": t.Title}
		for c, h := range t.Hints {
			for i, step := range h {
				texts[fmt.Sprintf("hint %d for %s", i+1, c)] = step
			}
		}
		for where, text := range texts {
			for _, name := range names {
				if containsName(text, name) {
					found = append(found, fmt.Sprintf("%s, %s: %s contains %q", e.Code, language, where, name))
				}
			}
		}
	}
	slices.Sort(found)
	return found
}

// containsName reports whether a text has a name in it, however it is written: stale-vtep is also "stale VTEP" and "StaleVTEP".
func containsName(text, name string) bool {
	return strings.Contains(squeezed(text), squeezed(name))
}

func squeezed(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_ \n", r) {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// ForbiddenNames are words that give an exercise away: the project's own, and the names of the faults and of what recognises them. What
// only names a symptom gives nothing away.
func ForbiddenNames(scenarios []fault.Scenario, dets []detectors.Detector) []string {
	names := []string{"netfault", "detector", "scenario", "inject"}
	for _, s := range scenarios {
		names = append(names, s.Name)
	}
	for _, d := range dets {
		if d.Kind != detectors.Cause {
			continue
		}
		names = append(names, d.Name)
		for _, c := range d.Cases {
			// Cases in one plain word, such as "rule", are ordinary language.
			if strings.Contains(c.Name, "-") {
				names = append(names, c.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Of reads the exercise of a scenario.
func Of(s fault.Scenario) (*Exercise, error) {
	e, err := Parse(s.Training.English, s.Training.Chinese)
	if err != nil {
		return nil, fmt.Errorf("scenario %s: %w", s.Name, err)
	}
	return &e, nil
}

// Validate lists what is wrong with the exercises of all scenarios, which stand in their order in what it returns otherwise.
func Validate(scenarios []fault.Scenario, dets []detectors.Detector) ([]*Exercise, error) {
	var all []*Exercise
	var wrong []error
	codes := map[string]string{}
	names := ForbiddenNames(scenarios, dets)
	for _, s := range scenarios {
		e, err := Of(s)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		all = append(all, e)
		if other := codes[e.Code]; other != "" {
			wrong = append(wrong, fmt.Errorf("scenario %s: %s has the code %q, too", s.Name, other, e.Code))
		}
		codes[e.Code] = s.Name
		for c := range e.Texts[English].Hints {
			if c != Otherwise && !slices.ContainsFunc(s.Detector.Cases, func(have detectors.Case) bool { return have.Name == c }) {
				wrong = append(wrong, fmt.Errorf("scenario %s: there is a hint for %q, which is no case of %s", s.Name, c, s.Detector.Name))
			}
		}
		for _, leak := range e.Leaks(names) {
			wrong = append(wrong, fmt.Errorf("scenario %s: %s", s.Name, leak))
		}
	}
	return all, errors.Join(wrong...)
}
