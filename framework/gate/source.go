package gate

import (
	"io/fs"
	"os"
	"strings"
)

// Source is a bundle of which it is known what must be said.
type Source struct {
	// Kind is where it is from: scenario, case or field of a checkout, or the kind of lab that it was taken from, netns or kind.
	Kind string `json:"kind"`
	// Name is the scenario's, with its remedy's if that is not the first, DETECTOR/CASE, or the field bundle's.
	Name string `json:"name"`
	// Phase is when it was taken: healthy, faulty, healed; of a lab also "tried: WHAT" and undone; empty for a case.
	Phase string `json:"phase,omitempty"`
	// Want is what must be said. Detectors that are not in it find nothing.
	Want Answers `json:"-"`
	// Open takes the bundle, or reads it.
	Open func() (fs.FS, error) `json:"-"`
}

// Absence is a bundle that is not there, or without a phase all those of a scenario, and why.
type Absence struct {
	Bundle Source `json:"bundle"`
	Why    string `json:"why"`
}

// Folder opens a bundle that is a folder: what Open is for most.
func Folder(dir string) func() (fs.FS, error) {
	return func() (fs.FS, error) { return os.DirFS(dir), nil }
}

// String is what people call it, such as "scenario stale-vtep healed".
func (s Source) String() string { return strings.TrimSpace(s.Kind + " " + s.Name + " " + s.Phase) }
