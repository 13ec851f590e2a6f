// Command new-fault makes the folders of a new fault and its line in each list: go run ./hack/new-fault NAME, in the top folder.
// With -detector=NAME an existing detector recognises it. `go test ./scenarios ./detectors/...` fails until everything is filled in.
package main

import (
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/tools/txtar"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
)

//go:embed template.txtar
var template []byte

func main() {
	detector := flag.String("detector", "", "an existing detector that recognises the fault; without, a new one of the fault's name")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: go run ./hack/new-fault [-detector=NAME] NAME\n\nfor example: go run ./hack/new-fault udp-8472-blocked")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(64)
	}
	made, err := create(".", flag.Arg(0), *detector)
	if err != nil {
		fmt.Fprintln(os.Stderr, "new-fault:", err)
		os.Exit(1)
	}
	for _, file := range made {
		fmt.Println(file)
	}
	fmt.Println("now fill in what says FILL IN; these fail until then: go test ./scenarios ./detectors/...")
}

var faultName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// create writes the files below root and returns their names.
func create(root, name, detector string) ([]string, error) {
	if !faultName.MatchString(name) {
		return nil, fmt.Errorf("%q is no name of a fault: want lower-case words joined by '-', such as udp-8472-blocked", name)
	}
	known := slices.ContainsFunc(all.Detectors(), func(d detectors.Detector) bool { return d.Name == detector })
	if detector != "" && !known {
		return nil, fmt.Errorf("there is no detector %q; `netfault explain` lists them", detector)
	}
	isNew := detector == ""
	if isNew {
		detector = name
	}
	// A file within the template cannot have the mark that begins a file.
	words := strings.NewReplacer("== want ==", "-- want --", "NAME", name, "PACKAGE", folder(name), "DETECTOR", detector, "FOLDER", folder(detector))
	var made []string
	for _, f := range txtar.Parse(template).Files {
		if !isNew && strings.HasPrefix(f.Name, "detectors/") {
			continue
		}
		file := words.Replace(f.Name)
		if err := write(filepath.Join(root, file), words.Replace(string(f.Data))); err != nil {
			return nil, err
		}
		made = append(made, file)
	}
	lists := []list{{
		file: "scenarios/registry.go", begin: "return []fault.Scenario{\n", end: "\t}\n", line: "\t\t" + folder(name) + ".Scenario,\n",
		imported: "\t" + folder(name) + ` "github.com/netfault/netfault/scenarios/` + name + "\"\n",
	}}
	if isNew {
		lists = append(lists, list{
			file: "detectors/all/all.go", begin: "var list = []detectors.Detector{\n", end: "}\n", line: "\t" + folder(detector) + ".Detector,\n",
			imported: "\t\"github.com/netfault/netfault/detectors/" + folder(detector) + "\"\n", sorted: true,
		})
	}
	for _, l := range lists {
		if err := l.add(root); err != nil {
			return nil, err
		}
		made = append(made, l.file)
	}
	return made, nil
}

func folder(name string) string { return strings.ReplaceAll(name, "-", "") }

// write makes a file that is not there yet.
func write(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// list is a Go file with a list, in which a fault or a detector has a line, and an import.
type list struct {
	file string
	// begin and end stand before the first line and behind the last.
	begin, end     string
	line, imported string
	sorted         bool
}

// add adds the line and the import, which gofmt sorts.
func (l list) add(root string) error {
	path := filepath.Join(root, l.file)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begun := strings.Cut(string(text), l.begin)
	items, after, ended := strings.Cut(rest, l.end)
	imports, before, imported := strings.Cut(before, "\n)\n")
	if !begun || !ended || !imported {
		return fmt.Errorf("%s has no imports, or no list between %q and %q", l.file, l.begin, l.end)
	}
	lines := append(slices.Collect(strings.Lines(items)), l.line)
	if l.sorted {
		slices.Sort(lines)
	}
	source, err := format.Source([]byte(imports + "\n" + l.imported + ")\n" + before + l.begin + strings.Join(lines, "") + l.end + after))
	if err != nil {
		return err
	}
	return os.WriteFile(path, source, 0o644)
}
