package page

import (
	"bytes"
	"time"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
)

// markdown leaves HTML out, and makes no links of what could run.
var markdown = goldmark.New(goldmark.WithExtensions(extension.Table))

// html renders a text.
func html(source string) string {
	var out bytes.Buffer
	if err := markdown.Convert([]byte(source), &out); err != nil {
		panic(err) // a buffer takes everything
	}
	return out.String()
}

// shown is a text with a heading, or a step, as the page shows it.
type shown struct {
	Heading string `json:"heading,omitempty"`
	Step    int    `json:"step,omitempty"`
	HTML    string `json:"html"`
}

func shownHints(h Hints) any {
	all := []shown{}
	for _, hint := range h.Hints {
		all = append(all, shown{Step: hint.Step, HTML: html(hint.Text)})
	}
	return struct {
		Hints
		Shown []shown `json:"hints"`
	}{h, all}
}

func shownDebrief(d Debrief) any {
	parts := []shown{}
	for _, p := range d.Parts {
		parts = append(parts, shown{Heading: p.Heading, HTML: html(p.Text)})
	}
	return struct {
		Debrief
		Parts []shown `json:"parts"`
		Took  float64 `json:"seconds"`
	}{d, parts, d.Took.Round(time.Second).Seconds()}
}
