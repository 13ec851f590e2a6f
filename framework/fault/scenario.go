// Package fault is the life of a fault: healthy, recorded, injected, seen, recognised, remedied, recovered, undone.
package fault

import (
	"context"

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
	Writeup string
	// Detector is the name of the detector of the cause.
	Detector string
	// Unavailable says why the fault cannot come about on this lab; empty if it can.
	Unavailable func(l lab.Lab) string
	// Inject brings the fault about by its real cause, and tells each thing that it does in one line.
	Inject func(ctx context.Context, l lab.Lab, say func(string)) error
	// MustFail says which probes the fault breaks; all others must pass.
	MustFail func(l lab.Lab, p evidence.Probe) bool
	// Want is what the detector must report.
	Want func(l lab.Lab) Subject
	// Attempts are remedies that people try first and that do not heal. They are run, and shown for what they are.
	Attempts func(l lab.Lab) []Attempt
}

// Subject is what a finding is about.
type Subject struct{ Case, Node, Peer string }

// Attempt is a remedy that does not heal.
type Attempt struct {
	// Name is one line, such as "the incident's own remedy".
	Name     string
	Commands []detectors.Command
}
