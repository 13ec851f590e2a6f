// Package fault is the life of a fault: healthy, recorded, injected, seen, recognised, remedied, recovered, undone.
package fault

import (
	"context"
	"fmt"
	"strings"

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
	// Detector is the detector of the cause.
	Detector detectors.Detector
	// Pods is how pods must hang on the nodes of an embedded lab for the fault to come about; empty if that does not matter.
	// With Kubernetes, pods hang as they do.
	Pods lab.Attachment
	// Unavailable says why the fault cannot come about on this lab; empty if it can.
	Unavailable func(l lab.Lab) string
	// Inject brings the fault about by its real cause, and tells each thing that it does in one line.
	Inject func(ctx context.Context, l lab.Lab, say func(string)) error
	// MustFail says which probes the fault breaks (probe.Failure); all others must pass. It is nil for a fault that breaks
	// none of them and has an Exercise.
	MustFail Which
	// Exercise is for a fault that shows only in traffic of its own: it sends that and says what it saw. It is called on the
	// healthy, the faulty and the healed lab alike. Its error is that it could not tell.
	Exercise func(ctx context.Context, l lab.Lab) (Seen, error)
	// Show puts the symptom into a table for people, line by line; nil if the list of broken probes says it all.
	Show func(l lab.Lab, results []evidence.Probe) []string
	// Want is what the detector must report: all of it, and nothing else, in this order.
	Want func(l lab.Lab) []Subject
	// Alternatives name those of the finding's other remedies that are tested, too, each in a life of its own.
	Alternatives []string
	// Attempts are remedies that people try first and that do not heal. They are run, and shown for what they are.
	Attempts func(l lab.Lab) []Attempt
}

// Seen is what an Exercise saw.
type Seen struct {
	// Lines are for people: what was sent, and what became of it.
	Lines []string
	// Broken are those things that do not work and work on a healthy lab, a line each.
	Broken []string
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
	if s.Pods != "" && s.Pods != l.Pods() && l.API() == nil {
		return fmt.Sprintf("it needs a lab with --pods=%s, and %s has --pods=%s: `%s` makes one",
			s.Pods, l.Name(), l.Pods(), lab.Command(string(s.Pods), "lab up", "--pods="+string(s.Pods)))
	}
	if s.Unavailable == nil {
		return ""
	}
	return s.Unavailable(l)
}

// Subject is what a finding is about.
type Subject struct{ Case, Node, Peer string }

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

// Attempt is a remedy that does not heal.
type Attempt struct {
	// Name is one line, such as "the incident's own remedy".
	Name     string
	Commands []detectors.Command
	// MustFail says which probes fail afterwards, if it is not the scenario's.
	MustFail Which
}
