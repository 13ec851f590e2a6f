// Package gate holds detectors, this project's and others', against bundles of which it is known what must be said: every bundle
// against every detector. docs/GATE.md says what is judged and how.
package gate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/fault"
)

// Answer is what a detector says of a bundle, or should say. Texts and evidence are not judged, and remedies only by what they do.
type Answer struct {
	// Problems are what it reports.
	Problems []fault.Subject
	// Unknown says that there is something that it cannot tell, alone or beside its problems.
	Unknown bool
	// Remedy are the commands of its problems.
	Remedy []detectors.Command
	// Err says why there is no answer; empty if there is one.
	Err string
}

// Answers are those of several detectors to one bundle, by the detector's name.
type Answers map[string]Answer

// add puts one verdict to the others. Clean and not applicable are both that nothing was found.
func (a Answers) add(detector string, v detectors.Verdict, s fault.Subject, remedy ...detectors.Command) {
	answer := a[detector]
	switch v {
	case detectors.Problem:
		answer.Problems = append(answer.Problems, s)
		answer.Remedy = append(answer.Remedy, remedy...)
	case detectors.Unknown:
		answer.Unknown = true
	}
	a[detector] = answer
}

// AnswersIn are the answers that a report holds.
func AnswersIn(r detectors.Report) Answers {
	all := Answers{}
	for _, f := range r.Findings {
		all.add(f.Detector, f.Verdict, fault.Subject{Case: f.Case, Node: f.Node, Peer: f.Peer}, f.Remedy...)
	}
	return all
}

// WhyNone is why there are no answers at all; empty if there are.
func (a Answers) WhyNone() string { return a[wrong].Err }

// addRendered adds what the parts "want" and "others" of a case say: of each line that is not indented the verdict, which is its
// first word, and the finding's ID, which is its last.
func (a Answers) addRendered(text string) error {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, " ") {
			continue
		}
		words := strings.Fields(line)
		id := strings.Split(words[max(len(words)-1, 0)], "/")
		if len(words) < 2 || len(id) != 4 {
			return fmt.Errorf("%q is no verdict and ID", line)
		}
		for i := range id {
			id[i] = strings.TrimPrefix(id[i], "-")
		}
		a.add(id[0], detectors.Verdict(words[0]), fault.Subject{Case: id[1], Node: id[2], Peer: id[3]})
	}
	return nil
}

// without are the subjects of all that are not among others.
func without(all, others []fault.Subject) []fault.Subject {
	return slices.DeleteFunc(slices.Clone(all), func(s fault.Subject) bool { return slices.Contains(others, s) })
}
