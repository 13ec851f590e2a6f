// Command docs writes those parts of the documentation that are made from data: the tables between the marks
// "<!-- NAME: … -->" and "<!-- /NAME -->". Run it in the top folder: go run ./hack/docs.
package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/scenarios"
)

func main() {
	for _, p := range parts {
		text, err := os.ReadFile(p.file)
		if err == nil {
			var made string
			if made, err = p.put(string(text)); err == nil {
				err = os.WriteFile(p.file, []byte(made), 0o644)
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "docs:", err)
			os.Exit(1)
		}
	}
}

// part is one table of one file.
type part struct {
	file, name string
	make       func() string
}

var parts = []part{
	{"README.md", "faults", faults},
	{"docs/FINDINGS.md", "cases", cases},
	{"docs/EVIDENCE.md", "needs", needs},
}

// put puts the table between its marks in a file's text.
func (p part) put(text string) (string, error) {
	begin, end := "<!-- "+p.name+": go run ./hack/docs -->\n", "<!-- /"+p.name+" -->"
	before, rest, opened := strings.Cut(text, begin)
	_, after, closed := strings.Cut(rest, end)
	if !opened || !closed {
		return "", fmt.Errorf("%s lacks the marks %q and %q", p.file, strings.TrimSpace(begin), end)
	}
	return before + begin + p.make() + end + after, nil
}

// row writes one row of a table.
func row(cells ...string) string {
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(c, "|", `\|`)
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

func faults() string {
	text := row("fault", "what it is", "embedded lab") + row("---", "---", "---")
	for _, s := range scenarios.All() {
		needs := "any"
		if all := s.Needs(); len(all) > 0 {
			needs = "`" + strings.Join(all, " ") + "`"
		}
		text += row(fmt.Sprintf("[%s](scenarios/%s/README.md)", s.Name, s.Name), s.Summary, needs)
	}
	return text
}

func folder(d detectors.Detector) string { return strings.ReplaceAll(d.Name, "-", "") }

func cases() string {
	text := row("detector", "kind", "case", "severity", "what is wrong") + row("---", "---", "---", "---", "---")
	for _, d := range all.Detectors() {
		name, kind := fmt.Sprintf("[%s](../detectors/%s/README.md)", d.Name, folder(d)), string(d.Kind)
		for _, c := range d.Cases {
			text += row(name, kind, "`"+c.Name+"`", string(c.Severity), c.About)
			name, kind = "", ""
		}
	}
	return text
}

// needs lists for each file the detectors that read it.
func needs() string {
	required, optional := map[string][]string{}, map[string][]string{}
	var files []string
	for _, d := range all.Detectors() {
		for _, n := range d.Needs {
			files = append(files, n.File)
			if n.Optional {
				optional[n.File] = append(optional[n.File], d.Name)
			} else {
				required[n.File] = append(required[n.File], d.Name)
			}
		}
	}
	slices.Sort(files)
	text := row("file", "needed by", "read, if there, by") + row("---", "---", "---")
	for _, f := range slices.Compact(files) {
		text += row("`"+strings.Replace(f, "nodes/*", "nodes/NODE", 1)+"`", list(required[f]), list(optional[f]))
	}
	return text
}

// list names detectors; all of them, or all of symptoms, are named together.
func list(names []string) string {
	var every, symptoms []string
	for _, d := range all.Detectors() {
		every = append(every, d.Name)
		if d.Kind == detectors.Symptom {
			symptoms = append(symptoms, d.Name)
		}
	}
	if len(names) == len(every) {
		return "all"
	}
	left := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(symptoms, n) })
	if len(names)-len(left) == len(symptoms) {
		names = append(left, "symptoms")
	}
	return strings.Join(names, ", ")
}
