package training

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"
)

// Kind is what an entry of an attempt's log is about.
type Kind string

const (
	// Alarm is that the network was proved broken; the clock runs from the first on.
	Alarm Kind = "alarm"
	// Ran is a command that was started on a machine.
	Ran Kind = "ran"
	// Hinted is a hint that was given, and Solved a look at the solution.
	Hinted, Solved Kind = "hint", "solution"
	// Checked is a check.
	Checked Kind = "check"
	// Rebuilt is that the lab was made anew.
	Rebuilt Kind = "reset"
	// Paused stops the clock, and Resumed lets it go on.
	Paused, Resumed Kind = "paused", "resumed"
	// Stopped ends the attempt.
	Stopped Kind = "stopped"
)

// Entry is one line of the log.
type Entry struct {
	At   time.Time `json:"at"`
	Kind Kind      `json:"kind"`
	// Machine and Argv are of a command.
	Machine string   `json:"machine,omitempty"`
	Argv    []string `json:"argv,omitempty"`
	// Finding and Step are of a hint: what it is about, and which of its three steps, from 1.
	Finding string `json:"finding,omitempty"`
	Step    int    `json:"step,omitempty"`
	// Verdict is of a check.
	Verdict Verdict `json:"verdict,omitempty"`
}

// Log is what happened in an attempt, in its order. That is the order of the file: the machine's clock may be set meanwhile.
type Log []Entry

// Add writes an entry. Several processes may add at a time, and each may be killed at any moment: an entry is there as a whole or not.
func (a *Attempt) Add(e Entry) error {
	if e.At.IsZero() {
		e.At = time.Now().UTC()
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(a.file(logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	// The line break comes first, so that half an entry of a writer that was killed does not spoil this one.
	_, err = f.Write(append([]byte("\n"), line...))
	return errors.Join(err, f.Sync(), f.Close())
}

// Log reads the log. What is no entry is half of one.
func (a *Attempt) Log() (Log, error) {
	data, err := os.ReadFile(a.file(logFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all Log
	for line := range bytes.Lines(data) {
		var e Entry
		if json.Unmarshal(line, &e) == nil && e.Kind != "" {
			all = append(all, e)
		}
	}
	return all, err
}

// first and last return an entry of a kind; nil if there is none.
func (l Log) first(k Kind) *Entry {
	for i := range l {
		if l[i].Kind == k {
			return &l[i]
		}
	}
	return nil
}

func (l Log) last(k Kind) *Entry {
	for i := len(l) - 1; i >= 0; i-- {
		if l[i].Kind == k {
			return &l[i]
		}
	}
	return nil
}

// Began is when the alarm went; the zero time if it did not.
func (l Log) Began() time.Time {
	if e := l.first(Alarm); e != nil {
		return e.At
	}
	return time.Time{}
}

// Healed is the first check that found the network healed; nil if none did.
func (l Log) Healed() *Entry {
	if i := l.healedAt(); i < len(l) {
		return &l[i]
	}
	return nil
}

// healedAt is its place in the log, or the log's end.
func (l Log) healedAt() int {
	i := slices.IndexFunc(l, func(e Entry) bool { return e.Kind == Checked && e.Verdict == Healed })
	if i < 0 {
		return len(l)
	}
	return i
}

// Took is how long it took until the network was healed, or until now, without pauses.
func (l Log) Took() time.Duration {
	began := l.Began()
	if began.IsZero() {
		return 0
	}
	end := time.Now()
	if healed := l.Healed(); healed != nil {
		end = healed.At
	} else if stopped := l.last(Stopped); stopped != nil {
		end = stopped.At
	}
	took := end.Sub(began)
	var since time.Time
	for _, e := range l {
		switch {
		case e.Kind == Paused && since.IsZero() && e.At.Before(end):
			since = e.At
		case e.Kind == Resumed && !since.IsZero():
			took -= earlier(e.At, end).Sub(since)
			since = time.Time{}
		}
	}
	if !since.IsZero() {
		took -= end.Sub(since)
	}
	return took
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// IsPaused reports whether the clock stands.
func (l Log) IsPaused() bool {
	paused, resumed := l.last(Paused), l.last(Resumed)
	return paused != nil && (resumed == nil || resumed.At.Before(paused.At))
}

// Checks are how many there were, and what the last came to; empty if there was none.
func (l Log) Checks() (n int, last Verdict) {
	for _, e := range l {
		if e.Kind == Checked {
			n, last = n+1, e.Verdict
		}
	}
	return n, last
}

// Given reports whether a step of the hint about a finding was given.
func (l Log) Given(finding string, step int) bool {
	return slices.ContainsFunc(l, func(e Entry) bool { return e.Kind == Hinted && e.Finding == finding && e.Step == step })
}

// LookedAt returns the first command that was run at one of the places; nil if none was.
func (l Log) LookedAt(places []Place) *Entry {
	for i, e := range l {
		if e.Kind == Ran && slices.ContainsFunc(places, func(p Place) bool { return p.Is(e.Machine, e.Argv) }) {
			return &l[i]
		}
	}
	return nil
}

// What an attempt costs, of the Full points of one that is healed without help. One that is not healed has none. Time costs nothing: who
// learns may look around.
const (
	Full         = 100
	HintCost     = 10
	SolutionCost = 50
)

// Points are those of the attempt. Help after the network was healed costs nothing.
func (l Log) Points() int {
	if l.Healed() == nil {
		return 0
	}
	return l.PointsLeft()
}

// PointsLeft are those that there are to be had if the network is healed without more help.
func (l Log) PointsLeft() int {
	hints, solution := l.Help()
	points := Full - hints*HintCost
	if solution {
		points -= SolutionCost
	}
	return max(points, 0)
}

// SolutionLeft is what a look at the solution costs now: nothing once it was looked at, or the network was healed.
func (l Log) SolutionLeft() int {
	if _, seen := l.Help(); seen || l.Healed() != nil {
		return 0
	}
	return SolutionCost
}

// Help is how many hints were given, and whether the solution was looked at, before the network was healed.
func (l Log) Help() (hints int, solution bool) {
	for _, e := range l[:l.healedAt()] {
		switch e.Kind {
		case Hinted:
			hints++
		case Solved:
			solution = true
		}
	}
	return hints, solution
}
