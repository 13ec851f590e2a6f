package training

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/netfault/netfault/framework/gate"
	"github.com/netfault/netfault/framework/labs"
)

// The headings of an exercise by language. Those that only training.md has are data, which no language changes.
var headings = map[Language]map[string]string{
	English: {
		"Pager": "pager", "Hints": "hints", "What happened": "hops", "Why it was hard to see": "hard", "The real incident": "incident",
		"Prevention": "prevention", "Events": "events", "Before": "before", "Places": "places", "Ideas": "ideas", "Solution": "solution", "Other ways": "ways",
	},
	Chinese: {
		"告警": "pager", "提示": "hints", "发生了什么": "hops", "为什么难以发现": "hard", "真实的事故": "incident", "预防与监控": "prevention", "日常事件": "events",
	},
}

// Parse reads an exercise from its texts, training.md and training.zh.md. The error lists all that is wrong, by file and line.
func Parse(english, chinese string) (Exercise, error) {
	p := &parser{file: "training.md", language: English, exercise: Exercise{Texts: map[Language]Text{}}}
	p.read(english)
	p.file, p.language = "training.zh.md", Chinese
	p.read(chinese)
	p.compare()
	return p.exercise, errors.Join(p.wrong...)
}

type parser struct {
	file     string
	language Language
	exercise Exercise
	wrong    []error
}

func (p *parser) fail(line int, format string, args ...any) {
	p.wrong = append(p.wrong, fmt.Errorf("%s:%d: %s", p.file, line, fmt.Sprintf(format, args...)))
}

// section is what stands below a heading.
type section struct {
	heading string
	// at is the heading's line.
	at    int
	lines []string
	// below are the sections one level deeper.
	below []section
}

func (s section) text() string { return strings.TrimSpace(strings.Join(s.lines, "\n")) }

// sections cuts a text at its headings of the first three levels. What begins with '#' in a block of code is none.
func sections(text string) (title section, parts []section) {
	here := &title
	inCode := false
	for i, line := range strings.Split(text, "\n") {
		inCode = inCode != strings.HasPrefix(line, "```")
		level, heading, ok := strings.Cut(line, " ")
		ok = ok && !inCode && len(level) <= 3 && level != "" && strings.Trim(level, "#") == ""
		s := section{heading: strings.TrimSpace(heading), at: i + 1}
		switch {
		case ok && level == "#":
			title = s
			here = &title
		case ok && (level == "##" || len(parts) == 0):
			parts = append(parts, s)
			here = &parts[len(parts)-1]
		case ok:
			in := &parts[len(parts)-1].below
			*in = append(*in, s)
			here = &(*in)[len(*in)-1]
		default:
			here.lines = append(here.lines, line)
		}
	}
	return title, parts
}

func (p *parser) read(text string) {
	title, parts := sections(text)
	t := Text{Title: title.heading, Hints: map[string]Hint{}}
	if title.heading == "" {
		p.fail(1, "there is no title: begin with \"# Lisbon\", or another city")
	}
	if p.language == English {
		p.readTitle(title)
	}
	texts := map[string]*string{"pager": &t.Pager, "hops": &t.Hops, "hard": &t.Hard, "incident": &t.Incident, "prevention": &t.Prevention}
	seen := map[string]bool{}
	for _, s := range parts {
		key, known := headings[p.language][s.heading]
		switch {
		case !known:
			p.fail(s.at, "unknown heading %q", s.heading)
			continue
		case seen[key]:
			p.fail(s.at, "%q is there twice", s.heading)
		}
		seen[key] = true
		if to := texts[key]; to != nil {
			*to = s.text()
			if *to == "" {
				p.fail(s.at, "%q is empty", s.heading)
			}
			p.checkPlaceholders(s.at, *to, key != "pager")
			continue
		}
		p.readData(key, s, t)
	}
	for heading, key := range headings[p.language] {
		if !seen[key] && key != "before" {
			p.fail(1, "there is no heading %q", heading)
		}
	}
	p.exercise.Texts[p.language] = t
}

func (p *parser) readTitle(title section) {
	e := &p.exercise
	e.Code = strings.ToLower(title.heading)
	if !code.MatchString(e.Code) {
		p.fail(title.at, "%q cannot be a code: want the name of a city, in one word of letters", title.heading)
	}
	for i, line := range title.lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		key, value, _ := strings.Cut(line, ":")
		n, err := strconv.Atoi(strings.TrimSpace(value))
		switch {
		case key == "Difficulty" && err == nil && n >= 1 && n <= 3:
			e.Difficulty = n
		case key == "Minutes" && err == nil && n >= 1 && n <= 120:
			e.Minutes = n
		case key == "Labs" && strings.TrimSpace(value) == string(labs.Netns):
			e.Labs = []labs.Kind{labs.Netns}
		default:
			p.fail(title.at+1+i, "%q: want \"Difficulty: 1\" to 3, \"Minutes: 1\" to 120, or \"Labs: netns\" where its commands are no cluster's", line)
		}
	}
	if e.Difficulty == 0 || e.Minutes == 0 {
		p.fail(title.at, "want a line \"Difficulty: 1\" to 3 and a line \"Minutes: …\" below the title")
	}
}

var code = regexp.MustCompile(`^[a-z]+$`)

func (p *parser) readData(key string, s section, t Text) {
	e := &p.exercise
	switch key {
	case "hints":
		for _, below := range s.below {
			t.Hints[below.heading] = p.readHint(below)
		}
		if _, ok := t.Hints[Otherwise]; !ok {
			p.fail(s.at, "there is no hint %q, for findings that have none of their own", Otherwise)
		}
	case "events":
		p.readEvents(s)
	case "before":
		e.Before = p.readLines(s, false)
	case "places":
		e.Places = p.readPlaces(s)
	case "ideas":
		e.Ideas = p.readPlaces(s)
	case "solution":
		e.Solution = p.readLines(s, false)
	case "ways":
		for _, below := range s.below {
			e.Ways = append(e.Ways, p.readWay(below))
		}
		if len(e.Ways) == 0 {
			p.fail(s.at, "there is no way beside the solution")
		}
	}
}

var numbered = regexp.MustCompile(`(?m)^([0-9])\. `)

// readHint reads a list of three.
func (p *parser) readHint(s section) (h Hint) {
	text := s.text()
	at := numbered.FindAllStringSubmatchIndex(text, -1)
	if len(at) != len(h) || at[0][0] != 0 {
		p.fail(s.at, "hint %q: want a numbered list of %d: where to look, what the evidence means, nearly the answer", s.heading, len(h))
		return h
	}
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		h[i] = strings.ReplaceAll(strings.TrimSpace(text[m[1]:end]), "\n   ", "\n") // the list's own indentation
		if text[m[2]:m[3]] != strconv.Itoa(i+1) || h[i] == "" {
			p.fail(s.at, "hint %q: step %d is not there", s.heading, i+1)
		}
		p.checkPlaceholders(s.at, h[i], true)
	}
	return h
}

// readEvents reads events with their commands from training.md, and their names from the translation, in the same order.
func (p *parser) readEvents(s section) {
	e := &p.exercise
	for i, below := range s.below {
		if p.language == English {
			e.Events = append(e.Events, Event{Name: Told{English: below.heading}, Lines: p.readLines(below, false)})
			continue
		}
		if i < len(e.Events) {
			e.Events[i].Name[p.language] = below.heading
		}
	}
	if len(s.below) != len(e.Events) || len(e.Events) == 0 {
		p.fail(s.at, "%d events, want %d, one or more", len(s.below), max(1, len(e.Events)))
	}
}

// readLines reads the block of code of a section: a line "MACHINE# COMMAND" each. It may use the values of the finding where the
// commands are run while the alarm is on.
func (p *parser) readLines(s section, finding bool) (all []Line) {
	inCode := false
	for i, text := range s.lines {
		if strings.HasPrefix(text, "```") {
			inCode = !inCode
			continue
		}
		if !inCode {
			continue
		}
		l := Line{At: s.at + 1 + i}
		var ok bool
		if l.Machine, l.Command, ok = strings.Cut(text, "# "); !ok {
			p.fail(l.At, "%q: want MACHINE# COMMAND", text)
			continue
		}
		if _, err := gate.Words(l.Command); err != nil {
			p.fail(l.At, "%q: %v", l.Command, err)
		}
		p.checkPlaceholders(l.At, text, finding)
		all = append(all, l)
	}
	if len(all) == 0 {
		p.fail(s.at, "%q has no block of commands", s.heading)
	}
	return all
}

// readPlaces reads a list: "- MACHINE: `WORDS`".
func (p *parser) readPlaces(s section) (all []Place) {
	for i, text := range s.lines {
		if strings.TrimSpace(text) == "" {
			continue
		}
		m := place.FindStringSubmatch(text)
		if m == nil {
			p.fail(s.at+1+i, "%q: want - MACHINE: `COMMAND`", text)
			continue
		}
		p.checkPlaceholders(s.at+1+i, text, false)
		all = append(all, Place{m[1], strings.Fields(m[2])})
	}
	if len(all) == 0 {
		p.fail(s.at, "%q is empty", s.heading)
	}
	return all
}

var place = regexp.MustCompile("^- ([^:]+): `([^`]+)`$")

// readWay reads "### NAME: VERDICT", with the commands, and what the check must say as a quotation.
func (p *parser) readWay(s section) Way {
	i := strings.LastIndex(s.heading, ": ")
	if i < 0 || !slices.Contains(Verdicts, Verdict(s.heading[i+2:])) {
		p.fail(s.at, "%q: want a name and one of the verdicts %q, as in \"flush the rules: damage\"", s.heading, Verdicts)
		return Way{}
	}
	w := Way{Name: s.heading[:i], Verdict: Verdict(s.heading[i+2:]), Lines: p.readLines(s, true)}
	for n, line := range s.lines {
		if says, ok := strings.CutPrefix(line, "> "); ok {
			w.Says = says
			p.checkPlaceholders(s.at+1+n, says, false)
		}
	}
	if w.Says == "" && (w.Verdict == Broken || w.Verdict == Damage) {
		p.fail(s.at, "%q: say in a line \"> …\" what the check must say of it", w.Name)
	}
	return w
}

// compare holds the translation against training.md.
func (p *parser) compare() {
	en, zh := p.exercise.Texts[English].Hints, p.exercise.Texts[Chinese].Hints
	for name := range en {
		if _, ok := zh[name]; !ok {
			p.fail(1, "there is no hint %q", name)
		}
	}
	for name := range zh {
		if _, ok := en[name]; !ok {
			p.fail(1, "there is a hint %q that training.md has not", name)
		}
	}
}
