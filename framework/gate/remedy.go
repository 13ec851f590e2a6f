package gate

import (
	"fmt"
	"io/fs"
	"testing/fstest"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
)

// RemedyOutcome is what a remedy did to the lab on which it was run.
type RemedyOutcome string

const (
	// Healed is that every probe passes again, and nothing is gone that was there.
	Healed RemedyOutcome = "healed"
	// Damage is that every probe passes again, and something is gone that was there before and with the fault.
	Damage RemedyOutcome = "healed with damage"
	// NotHealed is that something still fails.
	NotHealed RemedyOutcome = "not healed"
	// NoRemedy is that no finding has one, which is no failure.
	NoRemedy RemedyOutcome = "no remedy"
)

// Remedied is what became of a lab with a fault by what a detector's findings say is the remedy.
type Remedied struct {
	// Bundle is that of the fault.
	Bundle Source `json:"bundle"`
	// Commands are those that were run, as a person would type them.
	Commands []string      `json:"commands,omitempty"`
	Was      RemedyOutcome `json:"was"`
	// Why says what still fails, or why there is no remedy.
	Why string `json:"why,omitempty"`
	// Gone is what was there and is no more.
	Gone []string `json:"gone,omitempty"`
}

// Right reports whether the remedy is one, if there is any.
func (r Remedied) Right() bool { return r.Was == Healed || r.Was == NoRemedy }

// Remedy are the commands of all problems, in the order of the detectors.
func (a Answers) Remedy(dets []detectors.Detector) []detectors.Command {
	var all []detectors.Command
	for _, d := range dets {
		all = append(all, a[d.Name].Remedy...)
	}
	return all
}

// AsItIs gives a bundle under its own names, for remedies that are run where it was taken. Only bundle.json is as neutral as ever.
func AsItIs(s Source) (Given, error) {
	original, err := s.Open()
	if err != nil {
		return Given{}, fmt.Errorf("%s: %w", s, err)
	}
	g := Given{Files: fstest.MapFS{}}
	err = EachFile(original, func(file string, data []byte) {
		if file == evidence.InfoFile {
			data = neutral(data)
		}
		g.Files[file] = &fstest.MapFile{Data: data, Mode: 0o644}
	})
	return g, err
}

// EachFile calls do with each file of a bundle.
func EachFile(bundle fs.FS, do func(file string, data []byte)) error {
	return fs.WalkDir(bundle, ".", func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := fs.ReadFile(bundle, file)
		if err == nil {
			do(file, data)
		}
		return err
	})
}
