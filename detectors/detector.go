// Package detectors recognises network faults of Kubernetes clusters in recorded evidence.
//
// A detector is a pure function from an evidence bundle to findings: it runs nothing, asks nothing of a cluster and
// keeps nothing. This package is the contract between detectors and those who read their findings; it knows no detector.
// Package all lists them. Nothing here imports anything of netfault outside this folder, so that other programs can use it:
//
//	bundle, err := evidence.Open("bundle")
//	if err != nil { … }
//	defer bundle.Close()
//	report := detectors.Run(ctx, bundle, all.Detectors())
//	os.Exit(report.ExitCode(detectors.FailOnUnknown))
package detectors

import (
	"context"

	"github.com/netfault/netfault/detectors/evidence"
)

// Kind says what a detector looks at.
type Kind string

const (
	// Cause detectors read state and name a fault and its remedy.
	Cause Kind = "cause"
	// Symptom detectors read the results of probes; many causes share one symptom, so they name no remedy.
	Symptom Kind = "symptom"
)

// Detector judges a bundle. What it says of itself is data, from which the documentation is made and to which
// package detectortest holds it.
type Detector struct {
	// Name is what reports call it, such as "stale-vtep": lower-case words joined by '-'. Its package has it without '-'.
	Name string
	Kind Kind
	// About is one line on what it recognises.
	About string
	// Cases are the faults that it tells apart. Every problem that it reports is one of them.
	Cases []Case
	// Needs are the files that it reads, and no others.
	Needs []Need
	// Writeup is its documentation.
	Writeup Writeup
	// Detect returns at least one finding: the problems, or else exactly one finding with another verdict; unknown
	// findings may stand beside problems. It must not modify anything and must not depend on anything but b. It returns
	// early, with what it has and an unknown, when ctx ends.
	Detect func(ctx context.Context, b *evidence.Bundle) []Finding
}

// Case is one fault that a detector knows.
type Case struct {
	// Name is Finding.Case, such as "observer-stale".
	Name string
	// Severity is that of its findings, or the highest of them.
	Severity Severity
	// About is one line on what is wrong.
	About string
}

// Need is a file that a detector reads.
type Need struct {
	// File is a path in the bundle, such as "cluster/leases.json", or for a file of every node its name with NodeFiles
	// before it: "nodes/*/ip-link.json".
	File string
	// Optional says that the verdict is not unknown where the file is missing. One that is there and cannot be read is.
	Optional bool
	// Nameless says that nothing in the file tells whose it is: exchanged with another node's, it may look right there.
	Nameless bool
}

// NodeFiles stands in Need.File for the folder of each node.
const NodeFiles = "nodes/*/"

// Writeup is the documentation of a detector in Markdown: README.md and README.zh.md of its package. A heading of the third
// level with a case's name begins what there is to say of that case.
type Writeup struct{ English, Chinese string }

// CaseNamed returns the detector's case of that name.
func (d Detector) CaseNamed(name string) (Case, bool) {
	for _, c := range d.Cases {
		if c.Name == name {
			return c, true
		}
	}
	return Case{}, false
}
