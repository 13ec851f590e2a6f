package gate

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/fault"
)

// Names translates what a stranger's report calls things. What it does not translate is taken for this project's own names.
type Names struct {
	dets []detectors.Detector
	// to are the names of cases here by those there, both DETECTOR/CASE; dropped for one that has none here.
	to map[string]string
}

// dropped stands for the name of a case that netfault has not: it is not judged.
const dropped = "-"

// NewNames translates nothing: reports use the names of these detectors.
func NewNames(dets []detectors.Detector) Names { return Names{dets: dets, to: map[string]string{}} }

// Read reads a file of names, one a line: THEIR-DETECTOR/CASE DETECTOR/CASE, or '-' in the place of the latter. Lines that are empty
// or begin with '#' are passed over. file is its name, for errors.
func (n Names) Read(r io.Reader, file string) error {
	lines := bufio.NewScanner(r)
	for number := 1; lines.Scan(); number++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		fail := func(why string) error {
			return fmt.Errorf("%s, line %d: %s: want THEIR-DETECTOR/CASE DETECTOR/CASE, or - for a case that netfault has not", file, number, why)
		}
		switch {
		case len(words) != 2 || strings.Count(words[0], "/") != 1:
			return fail("no two names")
		case words[1] != dropped && !n.known(words[1]):
			return fail(fmt.Sprintf("there is no case %s (`netfault explain` lists them)", words[1]))
		case n.to[words[0]] != "":
			return fail(words[0] + " stands there twice")
		}
		n.to[words[0]] = words[1]
	}
	return lines.Err()
}

func (n Names) known(name string) bool {
	detector, c, _ := strings.Cut(name, "/")
	return slices.ContainsFunc(n.dets, func(d detectors.Detector) bool {
		_, ok := d.CaseNamed(c)
		return d.Name == detector && ok
	})
}

// detectors are those here that a detector there stands for.
func (n Names) detectors(theirs string) []string {
	var all []string
	for from, to := range n.to {
		if strings.HasPrefix(from, theirs+"/") && to != dropped {
			ours, _, _ := strings.Cut(to, "/")
			all = append(all, ours)
		}
	}
	if len(all) == 0 && slices.ContainsFunc(n.dets, func(d detectors.Detector) bool { return d.Name == theirs }) {
		return []string{theirs}
	}
	return all
}

// translate adds a finding of a report to the answers. An error says what has no name here.
func (n Names) translate(f detectors.Finding, to Answers) error {
	ours := n.detectors(f.Detector)
	if len(ours) == 0 {
		return fmt.Errorf("the report speaks of the detector %q, which is none of netfault's: say with --map what it stands for", detectors.OneLine(f.Detector))
	}
	for _, d := range ours {
		to.add(d, detectors.Clean, fault.Subject{})
		if f.Verdict == detectors.Unknown {
			to.add(d, detectors.Unknown, fault.Subject{})
		}
	}
	if f.Verdict != detectors.Problem {
		return nil
	}
	name := f.Detector + "/" + f.Case
	if translated, ok := n.to[name]; ok {
		name = translated
	}
	if name == dropped {
		return nil
	}
	if !n.known(name) {
		return fmt.Errorf("the report has the case %q, which is none of netfault's: say with --map what it is", detectors.OneLine(name))
	}
	detector, c, _ := strings.Cut(name, "/")
	to.add(detector, detectors.Problem, fault.Subject{Case: c, Node: f.Node, Peer: f.Peer}, f.Remedy...)
	return nil
}
