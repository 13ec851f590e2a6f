package gate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/fault"
)

// WantFile lies beside the bundles of a fixture and says what must be said of each.
const WantFile = "want.json"

// Wanted is what must be said of each bundle of a fixture, by the bundle's name. Detectors that it does not name find nothing.
type Wanted map[string][]Said

// Said is one thing that a detector says of a bundle: a problem, or that something is unknown.
type Said struct {
	Detector string `json:"detector"`
	Case     string `json:"case,omitempty"`
	Node     string `json:"node,omitempty"`
	Peer     string `json:"peer,omitempty"`
	Unknown  bool   `json:"unknown,omitempty"`
}

// ReadWant reads what must be said of the bundles in a fixture's folder.
func ReadWant(dir string) (Wanted, error) {
	file := filepath.Join(dir, WantFile)
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var w Wanted
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return w, nil
}

// Write writes it into a fixture's folder.
func (w Wanted) Write(dir string) error {
	data, err := json.MarshalIndent(w, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, WantFile), append(data, '\n'), 0o644)
}

// AnswersOf puts what must be said together by detectors.
func AnswersOf(all []Said) Answers {
	answers := Answers{}
	for _, s := range all {
		verdict := detectors.Problem
		if s.Unknown {
			verdict = detectors.Unknown
		}
		answers.add(s.Detector, verdict, fault.Subject{Case: s.Case, Node: s.Node, Peer: s.Peer})
	}
	return answers
}
