package gate

import (
	"io/fs"
	"strings"
)

// Source is a bundle of which it is known what must be said.
type Source struct {
	// Kind is where it is from: scenario, case or field.
	Kind string `json:"kind"`
	// Name is the scenario's, DETECTOR/CASE, or the field bundle's.
	Name string `json:"name"`
	// Phase is when it was taken: healthy, faulty, healed; empty for a case.
	Phase string `json:"phase,omitempty"`
	// Want is what must be said. Detectors that are not in it find nothing.
	Want Answers `json:"-"`
	// Open takes the bundle, or reads it.
	Open func() (fs.FS, error) `json:"-"`
}

// String is what people call it, such as "scenario stale-vtep healed".
func (s Source) String() string { return strings.TrimSpace(s.Kind + " " + s.Name + " " + s.Phase) }
