// Package detectors recognises network faults of Kubernetes clusters in recorded evidence.
//
// A detector is a pure function from an evidence bundle to findings: it runs nothing, asks nothing of a cluster and
// keeps nothing. The package imports nothing of netfault outside its own folder, so that other programs can use it:
//
//	bundle, err := evidence.Open("bundle")
//	if err != nil { … }
//	defer bundle.Close()
//	report := detectors.Run(ctx, bundle, detectors.All())
//	os.Exit(report.ExitCode())
package detectors

import (
	"cmp"
	"context"
	"fmt"
	"slices"

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

// Detector judges a bundle.
type Detector struct {
	// Name is what reports call it, such as "stale-vtep".
	Name string
	Kind Kind
	// About is one line on what it recognises.
	About string
	// Detect returns at least one finding: the problems, or else exactly one finding with another verdict; unknown
	// findings may stand beside problems. It must not modify anything and must not depend on anything but b. It returns
	// early, with what it has and an unknown, when ctx ends.
	Detect func(ctx context.Context, b *evidence.Bundle) []Finding
}

var registered []Detector

// register is called once by the file of each detector, so that a new one needs no line elsewhere in this package.
func register(d Detector) Detector {
	for _, r := range registered {
		if r.Name == d.Name {
			panic(fmt.Sprintf("two detectors are named %q", d.Name))
		}
	}
	registered = append(registered, d)
	return d
}

// All returns every detector: causes before symptoms, each sorted by name.
func All() []Detector {
	return slices.SortedFunc(slices.Values(registered), func(a, b Detector) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
}
