// Package page writes reports as one HTML file to look at: no script, nothing from the network, for small screens and paper as well,
// and for those who do not see colours or do not see at all. What it shows may come from strangers, and is escaped.
package page

import (
	"embed"
	"fmt"
	"html/template"
	"io"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/gate"
)

// Page is what one file shows; what it has not is left out.
type Page struct {
	// Title is the heading, such as "netfault e2e on netns".
	Title string
	// OK says that all is as it should be, and Verdict says so in words.
	OK      bool
	Verdict string
	// Facts are what the whole is about, such as the version of flannel.
	Facts []Fact
	Gate  *gate.Result
	Lives []Life
	// Failures are those of a run that belong to no life.
	Failures []Failure
	// Judged is a bundle by itself.
	Judged *Judged
	// Writeups are those of the detectors that report a problem, see WriteupsOf.
	Writeups []Writeup
}

// Failure is something that failed.
type Failure struct{ Name, Message string }

// Fact is one thing and its value.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Life is how a fault's life went. Its JSON form is for the processes that share a run, and no format of its own.
type Life struct {
	Name    string `json:"name"`
	Summary string `json:"summary"`
	OK      bool   `json:"ok"`
	// Skipped says why it was not run; empty if it was.
	Skipped string            `json:"skipped,omitempty"`
	Facts   []Fact            `json:"facts"`
	Plan    []fault.Step      `json:"plan"`
	Steps   []fault.Result    `json:"steps"`
	Writeup detectors.Writeup `json:"writeup"`
	// Healthy, Faulty and Healed are the evidence from before, during and after; nil where none was taken.
	Healthy *Judged `json:"healthy,omitempty"`
	Faulty  *Judged `json:"faulty,omitempty"`
	Healed  *Judged `json:"healed,omitempty"`
}

// Deaths are where packets died; nil if no step has looked.
func (l Life) Deaths() *fault.Deaths {
	for _, s := range l.Steps {
		if s.Deaths != nil {
			return s.Deaths
		}
	}
	return nil
}

// Writeup is the documentation of a detector or a fault.
type Writeup struct {
	Name string
	detectors.Writeup
}

// WriteupsOf are those of the detectors that report a problem that counts.
func WriteupsOf(r detectors.Report, dets []detectors.Detector) []Writeup {
	reports := map[string]bool{}
	for _, f := range r.Findings {
		if f.Verdict == detectors.Problem && f.Suppressed == nil {
			reports[f.Detector] = true
		}
	}
	var all []Writeup
	for _, d := range dets {
		if reports[d.Name] {
			all = append(all, Writeup{d.Name, d.Writeup})
		}
	}
	return all
}

//go:embed page.tmpl style.css
var files embed.FS

var (
	style, _ = files.ReadFile("style.css")
	pages    = template.Must(template.New("").Funcs(template.FuncMap{
		// The style sheet is this package's own.
		"style": func() template.CSS { return template.CSS(style) },
		// Markdown keeps no HTML of its source.
		"markdown": markdown,
		"picture":  pictureOf,
		"compare":  compare,
		"steps":    stepsOf,
		"reports":  reportsOf,
		"matrix":   matrixOf,
		"tally":    tally,
		"where":    where,
		"life":     func(i int, l Life) numbered { return numbered{fmt.Sprintf("life-%d", i), l} },
	}).ParseFS(files, "page.tmpl"))
)

// numbered is a life and the name of its place in the page.
type numbered struct {
	ID   string
	Life Life
}

// Write writes the page.
func Write(w io.Writer, p Page) error { return pages.ExecuteTemplate(w, "page", p) }
