// Package fault is the life of a fault: healthy, recorded, injected, seen, recognised, remedied, recovered, undone.
package fault

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/lab"
)

// Scenario is one fault: how it comes about, what must be seen, and what does not help.
type Scenario struct {
	// Name is what commands call it, such as "stale-vtep".
	Name string
	// Summary is one line for a list.
	Summary string
	// Writeup is the story in Markdown, in the words of an on-call engineer.
	Writeup detectors.Writeup
	// Training is the exercise, training.md in both languages, as package training reads it.
	Training detectors.Writeup
	// Detector is the detector of the cause.
	Detector detectors.Detector
	// Pods is how pods must hang on the nodes of an embedded lab for the fault to come about; empty if that does not matter.
	// With Kubernetes, pods hang as they do.
	Pods lab.Attachment
	// Flannel is the version of flannel that an embedded lab must have for the fault to come about, such as "v0.7.1"; empty if
	// any will do.
	Flannel string
	// Unavailable says why the fault cannot come about on this lab; empty if it can.
	Unavailable func(l lab.Lab) string
	// Inject brings the fault about by its real cause, and tells each thing that it does in one line.
	Inject func(ctx context.Context, l lab.Lab, say func(string)) error
	// Then is injected after that, once the lab has settled; nil but for two faults at once.
	Then func(ctx context.Context, l lab.Lab, say func(string)) error
	// MustFail says which probes the fault breaks (probe.Failure); all others must pass. It is nil for a fault that breaks
	// none of them and has an Exercise.
	MustFail Which
	// Deaths are the places where packets of the broken connections die: all of them, and no others. It is nil for a fault that
	// loses none. It is held against what the kernel itself says.
	Deaths func(l lab.Lab) []Death
	// Exercise is for a fault that shows only in traffic of its own: it sends that and says what it saw. It is called on the
	// healthy, the faulty and the healed lab alike. Its error is that it could not tell.
	Exercise func(ctx context.Context, l lab.Lab) (Seen, error)
	// Show puts the symptom into a table for people, line by line; nil if the list of broken probes says it all.
	Show func(l lab.Lab, results []evidence.Probe) []string
	// Want is what the detector must report: all of it, and nothing else.
	Want func(l lab.Lab) []Subject
	// Alternatives name those of the finding's other remedies that are tested, too, each in a life of its own.
	Alternatives []string
	// Lasts is for a fault that ends by itself: it says for how long the fault stays in force at least if nobody heals it, as the
	// lab is now, and its error is that this is not sure. It is asked right before the remedy, which must heal sooner. It is nil
	// for a fault that stays.
	Lasts func(ctx context.Context, l lab.Lab) (time.Duration, error)
	// Restarts says that the injection starts flanneld anew on other nodes than the fault is of, and EndsWithRestart that the fault
	// ends where that happens to its own: of two faults at once, the latter is injected later.
	Restarts, EndsWithRestart bool
	// WantsHealthy says that the injection needs a lab on which every probe passes: of two faults at once, it is injected first.
	WantsHealthy bool
	// Attempts are remedies that people try first and that do not heal. They are run, and shown for what they are.
	Attempts func(l lab.Lab) []Attempt
}

// Seen is what an Exercise saw.
type Seen struct {
	// Lines are for people: what was sent, and what became of it.
	Lines []string
	// Broken are those things that do not work and work on a healthy lab, a line each.
	Broken []string
	// Lost are those of them that nobody answered.
	Lost []Lost
	// Captures are added to the evidence.
	Captures []Capture
}

// Capture is a recording of packets.
type Capture struct {
	// Node is where it was taken.
	Node string
	// Name is the interface's; the file is NAME.pcap.
	Name string
	PCAP []byte
}

// Missing says why the fault cannot come about on the lab; empty if it can.
func (s Scenario) Missing(l lab.Lab) string {
	switch {
	case s.Flannel != "" && l.API() != nil:
		return fmt.Sprintf("it needs flannel %s, which embedded labs alone have: %s", s.Flannel, s.howToMake())
	case s.Flannel != "" && s.Flannel != l.Flannel().Version():
		return fmt.Sprintf("it needs a lab with flannel %s, and %s has %s: %s", s.Flannel, l.Name(), l.Flannel().Version(), s.howToMake())
	case s.Pods != "" && s.Pods != l.Pods() && l.API() == nil:
		return fmt.Sprintf("it needs a lab with --pods=%s, and %s has --pods=%s: %s", s.Pods, l.Name(), l.Pods(), s.howToMake())
	}
	if s.Unavailable == nil {
		return ""
	}
	return s.Unavailable(l)
}

// howToMake names the command that makes a lab for the scenario.
func (s Scenario) howToMake() string {
	return fmt.Sprintf("`sudo %snetfault lab up --lab=%s%s` makes one", prefixed("FLANNEL_VERSION=", s.Flannel, " "), s.Name, prefixed(" --pods=", string(s.Pods), ""))
}

// Needs are what an embedded lab must be made with for the fault to come about, in the words of the command line; none for one
// that any lab will do for.
func (s Scenario) Needs() []string {
	return slices.DeleteFunc([]string{prefixed("FLANNEL_VERSION=", s.Flannel, ""), prefixed("--pods=", string(s.Pods), "")},
		func(need string) bool { return need == "" })
}

// prefixed is the value between two texts, or nothing if it is empty.
func prefixed(before, value, after string) string {
	if value == "" {
		return ""
	}
	return before + value + after
}

// Subject is what a finding is about.
type Subject struct {
	Case string `json:"case"`
	Node string `json:"node,omitempty"`
	Peer string `json:"peer,omitempty"`
}

// String is the subject as a person would say it, such as "observer-stale on n2 for n1".
func (s Subject) String() string {
	text := s.Case + " on " + s.Node
	if s.Peer != "" {
		text += " for " + s.Peer
	}
	return text
}

// subjects lists them in a text.
func subjects(all []Subject) string {
	if len(all) == 0 {
		return "no problem"
	}
	var texts []string
	for _, s := range all {
		texts = append(texts, s.String())
	}
	return strings.Join(texts, ", ")
}

// After is the fault as it shows after an attempt.
func (s Scenario) After(a Attempt) Scenario {
	if a.MustFail != nil {
		s.MustFail = a.MustFail
	}
	if a.Want != nil {
		s.Want = a.Want
	}
	return s
}

// Attempt is a remedy that does not heal.
type Attempt struct {
	// Name is one line, such as "the incident's own remedy".
	Name     string
	Commands []detectors.Command
	// MustFail says which probes fail afterwards, if it is not the scenario's.
	MustFail Which
	// Want is what the scenario's detector must report afterwards, if it is not the scenario's: the fault may show otherwise.
	Want func(l lab.Lab) []Subject
}
