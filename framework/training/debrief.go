package training

import (
	"slices"
	"time"

	"github.com/netfault/netfault/detectors"
)

// Debrief is what is told when it is over.
type Debrief struct {
	// Hops is what happened to a packet, with the attempt's own values.
	Hops string
	// Hard, Incident and Prevention are the exercise's.
	Hard, Incident, Prevention string
	Moments                    []Moment
}

// Moment is a point of the learner's time line.
type Moment struct {
	What Told
	// After is how long after the alarm.
	After time.Duration
	// Entry is the log's; nil for what did not come to pass or was not seen.
	Entry *Entry
}

// Tell makes the debrief of an attempt.
func (e *Exercise) Tell(language Language, f Faulty, log Log) Debrief {
	v := f.Values.With(f.First())
	t := e.Text(language)
	return Debrief{
		Hops: v.Fill(t.Hops), Hard: v.Fill(t.Hard), Incident: v.Fill(t.Incident), Prevention: v.Fill(t.Prevention),
		Moments: e.moments(f.Values, log),
	}
}

// First is the first finding; an empty one if there is none.
func (f Faulty) First() detectors.Finding {
	if len(f.Findings) == 0 {
		return detectors.Finding{}
	}
	return f.Findings[0]
}

// moments are the first look, the first one in the right place, the first right idea, and the fix: the last command before a check found
// the network healed.
func (e *Exercise) moments(v Values, log Log) []Moment {
	idea := log.LookedAt(v.At(e.Ideas))
	all := []Moment{
		{What: told("first look", "第一次查看"), Entry: log.first(Ran)},
		{What: told("first look in the right place", "第一次看对地方"), Entry: log.LookedAt(v.At(append(e.Places[:len(e.Places):len(e.Places)], e.Ideas...)))},
		{What: told("first right idea", "第一个正确的想法"), Entry: idea},
	}
	healed := log.Healed()
	if healed != nil {
		all = append(all, Moment{What: told("fix", "修复"), Entry: lastCommand(log[:log.healedAt()], v.At(e.Ideas))}, Moment{What: told("healed", "确认修复"), Entry: healed})
	}
	for i, m := range all {
		if m.Entry != nil {
			all[i].After = m.Entry.At.Sub(log.Began())
		}
	}
	return all
}

// lastCommand is the last command that is one of the ideas; the last of all, where none is.
func lastCommand(log Log, ideas []Place) *Entry {
	var last, fix *Entry
	for i, entry := range log {
		if entry.Kind != Ran {
			continue
		}
		last = &log[i]
		if slices.ContainsFunc(ideas, func(p Place) bool { return p.Is(entry.Machine, entry.Argv) }) {
			fix = last
		}
	}
	if fix != nil {
		return fix
	}
	return last
}
