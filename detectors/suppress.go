package detectors

import (
	"bufio"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"
)

// Suppression says that findings are known and not to be counted, until a day, for a reason.
type Suppression struct {
	// ID is a pattern of Finding.ID: '*' stands for any part or piece of one, such as "pod-snat/*/n2/*".
	ID string `json:"id"`
	// Until is the last day on which it is in force, such as "2026-12-31", by UTC.
	Until  string `json:"until"`
	Reason string `json:"reason"`
	// Ended says that it is past that day: what it matches counts again.
	Ended bool `json:"ended,omitempty"`
	// Matches is how many findings it matches.
	Matches int `json:"matches"`
}

// ParseSuppression reads one suppression as it is written: "PATTERN until 2026-12-31: reason".
func ParseSuppression(text string) (Suppression, error) {
	fail := func(why string) (Suppression, error) {
		return Suppression{}, fmt.Errorf("suppression %q: %s: want \"PATTERN until YYYY-MM-DD: REASON\", such as %q",
			OneLine(text), why, "pod-snat/rule/n2/* until 2026-12-31: the legacy gateway, ticket 4711")
	}
	id, rest, ok := strings.Cut(strings.TrimSpace(text), " until ")
	if !ok {
		return fail("no end date")
	}
	until, reason, ok := strings.Cut(rest, ":")
	s := Suppression{ID: strings.TrimSpace(id), Until: strings.TrimSpace(until), Reason: OneLine(strings.TrimSpace(reason))}
	if !ok || s.Reason == "" {
		return fail("no reason")
	}
	if _, err := time.Parse(time.DateOnly, s.Until); err != nil {
		return fail("no such day: " + s.Until)
	}
	if strings.Count(s.ID, "/") != 3 || strings.ContainsAny(s.ID, " \t") {
		return fail("the pattern has not four parts, DETECTOR/CASE/NODE/PEER")
	}
	if _, err := path.Match(s.ID, ""); err != nil {
		return fail("the pattern cannot be read")
	}
	return s, nil
}

// ReadSuppressions reads a file of suppressions, one a line; lines that are empty or begin with '#' are passed over. name is
// the file's, for errors.
func ReadSuppressions(r io.Reader, name string) ([]Suppression, error) {
	var all []Suppression
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		s, err := ParseSuppression(text)
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", name, n, err)
		}
		all = append(all, s)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return all, nil
}

// Suppress marks the problems and unknowns that a suppression in force matches. Those that have ended mark nothing, and stand
// in the report as ended.
func (r *Report) Suppress(suppressions []Suppression, now time.Time) {
	today := now.UTC().Format(time.DateOnly)
	for _, s := range suppressions {
		s.Ended = today > s.Until
		s.Matches = 0
		var marked []*Finding
		for i := range r.Findings {
			f := &r.Findings[i]
			if (f.Verdict != Problem && f.Verdict != Unknown) || !matchID(s.ID, f.ID) {
				continue
			}
			s.Matches++
			if !s.Ended && f.Suppressed == nil {
				marked = append(marked, f)
			}
		}
		for _, f := range marked {
			f.Suppressed = &s
		}
		r.Suppressions = append(r.Suppressions, s)
	}
	r.suppressFollowers()
	r.Unexplained = slices.DeleteFunc(r.Unexplained, func(id string) bool { return r.byID(id).Suppressed != nil })
	r.setCommon()
}

// suppressFollowers marks what follows from suppressed findings alone.
func (r *Report) suppressFollowers() {
	counts := map[string]bool{}
	for _, f := range r.Findings {
		for _, id := range f.Explains {
			counts[id] = counts[id] || f.Suppressed == nil
		}
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Suppressed == nil {
			continue
		}
		for _, id := range f.Explains {
			if o := r.byID(id); !counts[id] && o.Suppressed == nil {
				o.Suppressed = f.Suppressed
			}
		}
	}
}

// byID returns the finding that has an ID of this report.
func (r *Report) byID(id string) *Finding {
	return &r.Findings[slices.IndexFunc(r.Findings, func(f Finding) bool { return f.ID == id })]
}

// matchID reports whether an ID is of a pattern, in which '*' stands for any piece of one part.
func matchID(pattern, id string) bool {
	ok, err := path.Match(pattern, id)
	return err == nil && ok
}
