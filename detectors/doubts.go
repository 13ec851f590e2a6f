package detectors

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/netfault/netfault/detectors/evidence"
)

// Doubts collects why a detector cannot tell: one line for each cause, however many subjects it leaves undecided.
type Doubts struct {
	nodes []string
	lines []Line
}

// Add notes a cause that concerns one node, or the cluster if node is empty.
func (d *Doubts) Add(node string, l Line) {
	d.nodes = append(d.nodes, node)
	d.lines = append(d.lines, l)
}

// AddError notes a file that cannot be used, as Unreadable quotes it.
func (d *Doubts) AddError(node string, err error) { d.Add(node, Unreadable("", err)) }

// Findings returns the one unknown finding, or none if there is no doubt.
func (d *Doubts) Findings() []Finding {
	if len(d.lines) == 0 {
		return nil
	}
	f := Finding{
		Verdict:  Unknown,
		Node:     d.nodes[0],
		Summary:  fmt.Sprintf("cannot tell: %s: %s", d.lines[0].File, d.lines[0].Text),
		Evidence: d.lines,
	}
	for _, n := range d.nodes {
		if n != f.Node {
			f.Node = ""
		}
	}
	if len(d.lines) > 1 {
		f.Summary += fmt.Sprintf("; and %d more: %s", len(d.lines)-1, where(d.lines[1:]))
	}
	f.Summary = OneLine(f.Summary)
	return []Finding{f}
}

// maxNamed is how many files a summary names beside the first.
const maxNamed = 4

// where says in which files lines stand, and how many in each: "nodes/n1/ip-link.json, nodes/n2/ip-link.json (2)".
func where(lines []Line) string {
	var files []string
	count := map[string]int{}
	for _, l := range lines {
		if count[l.File]++; count[l.File] == 1 {
			files = append(files, l.File)
		}
	}
	var named []string
	for _, file := range files[:min(len(files), maxNamed)] {
		if count[file] > 1 {
			file = fmt.Sprintf("%s (%d)", file, count[file])
		}
		named = append(named, file)
	}
	if more := len(files) - len(named); more > 0 {
		named = append(named, fmt.Sprintf("%d more files, which the evidence names", more))
	}
	return strings.Join(named, ", ")
}

// Unreadable quotes why a file cannot be used; file is named where err does not say which.
func Unreadable(file string, err error) Line {
	if e, ok := errors.AsType[*evidence.FileError](err); ok {
		file, err = e.File, e.Err
	}
	return Line{File: file, Text: OneLine(err.Error())}
}

// maxText is the most characters of foreign text that a finding quotes.
const maxText = 300

// OneLine makes foreign text fit for a line on a terminal: no control characters, and no more than 300 characters.
func OneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > maxText {
		return string(r[:maxText]) + "…"
	}
	return s
}
