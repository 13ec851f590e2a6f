package twrecycle

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/twrecycle/internal/recycle"
)

// maxSources is the most sources and listeners whose counts a finding quotes one by one.
const maxSources = 8

// judge holds everything that TWRecycle has read.
type judge struct {
	b        *evidence.Bundle
	settings map[string]*setting
	leases   []evidence.Lease
	captures []capturedTrace
	// reported are the nodes whose setting stands in a finding on their behaviour.
	reported map[string]bool
}

// behaviours reports what captures show: one finding for each node with such listeners.
func (j *judge) behaviours() []detectors.Finding {
	j.reported = map[string]bool{}
	signs := j.signs()
	owners := j.owners(signs)
	var order []owner
	byOwner := map[owner][]sign{}
	for i, s := range signs {
		if byOwner[owners[i]] == nil {
			order = append(order, owners[i])
		}
		byOwner[owners[i]] = append(byOwner[owners[i]], s)
	}
	var found []detectors.Finding
	for _, o := range order {
		j.reported[o.node] = true
		found = append(found, j.behaviour(o, byOwner[o]))
	}
	return found
}

// behaviour reports the listeners of one owner.
func (j *judge) behaviour(o owner, signs []sign) detectors.Finding {
	main := signs[0]
	for _, s := range signs[1:] {
		// A capture on the listener's own node tells more than one elsewhere, and then the one with more in it.
		here, there := s.node == o.node, main.node == o.node
		if here && !there || here == there && s.dropped(s.listener.Sum()).Unanswered > main.dropped(main.listener.Sum()).Unanswered {
			main = s
		}
	}
	f := detectors.Finding{Verdict: detectors.Problem, Severity: detectors.Critical, Case: Behaviour, Node: main.node}
	if o.node != main.node {
		f.Peer = o.node
	}
	sources := main.sources()
	sum, src := main.listener.Sum(), main.listener.Sources[sources[0]]
	from := sources[0].String()
	if more := len(sources) - 1; more > 0 {
		from += fmt.Sprintf(" and %d more", more)
	}
	others := sum.Forward
	others.Answered += sum.First.Answered
	which := "whose TCP timestamp is older than the last"
	if main.kind == recycle.Bare {
		which = "that have no TCP timestamp while the last had one"
	}
	held := main.dropped(sum)
	f.Summary = detectors.OneLine(fmt.Sprintf("%s drops SYNs of %s %s: "+
		"%d of %d unanswered, but %d of %d others answered, within %.0f s%s",
		main.addr, from, which, held.Unanswered, held.Total(), others.Answered, others.Total(),
		src.End.Sub(src.Begin).Seconds(), j.settingNote(o, main.addr.Addr())))
	f.Expected = "every SYN answered, whatever its timestamp"
	f.Actual = fmt.Sprintf("%d of %d SYNs %s unanswered", held.Unanswered, held.Total(), main.kind)

	f.Evidence = append(f.Evidence, countLine(main, sources[0]))
	for _, text := range src.Table() {
		f.Evidence = append(f.Evidence, detectors.Line{File: main.file(), Text: text})
	}
	f.Evidence = append(f.Evidence, otherCounts(main, sources[1:], signs)...)
	for _, s := range signs {
		if s.cutOff {
			f.Evidence = append(f.Evidence, detectors.Line{File: s.file(), Text: "cut off at its end: judged up to there"})
			break
		}
	}
	s := j.settings[o.node]
	if s != nil {
		_, counted := s.dropped(j.b)
		f.Evidence = append(append(append(f.Evidence, s.line()), s.emulatedLines()...), counted...)
	}
	// Where the setting was read and is off already, the command would change nothing.
	if s == nil || s.state == settingUnread || s.inForce() {
		f.Remedy = []detectors.Command{offCommand(o.node)}
	}
	return f
}

// settingNote says in a summary what is known of the setting where the listener is.
func (j *judge) settingNote(o owner, listener netip.Addr) string {
	s := j.settings[o.node]
	switch {
	case s != nil && s.inForce():
		return fmt.Sprintf("; %s is 1 on %s, %s", settingKey, o.node, s.source())
	case !o.known:
		return fmt.Sprintf("; the node of %s is not known, so %s was not read there", listener, settingKey)
	case s == nil || s.state == settingUnread:
		return fmt.Sprintf("; %s was not read on %s", settingKey, o.node)
	case s.state == settingOff:
		return fmt.Sprintf("; %s is 0 on %s: it was 1 before, or is in the pod's own namespace (Linux 4.11)", settingKey, o.node)
	default:
		return fmt.Sprintf("; %s's own kernel has no %s: look for what answers in its place", o.node, settingKey)
	}
}

// countLine quotes how many requests of each kind one source made.
func countLine(s sign, from netip.Addr) detectors.Line {
	src := s.listener.Sources[from]
	text := fmt.Sprintf("%s to %s, %s to %s UTC: %d SYNs with an older timestamp: %d unanswered (%d of them repeated), %d answered; "+
		"%d with a newer one: %d unanswered; %d without one to compare with: %d unanswered",
		from, s.addr, src.Begin.UTC().Format(time.TimeOnly), src.End.UTC().Format(time.TimeOnly),
		src.Backward.Total(), src.Backward.Unanswered, src.Backward.Repeated, src.Backward.Answered,
		src.Forward.Total(), src.Forward.Unanswered, src.First.Total(), src.First.Unanswered)
	if src.Bare.Total() > 0 {
		text += fmt.Sprintf("; %d without timestamps while the last had one: %d unanswered (%d of them repeated)",
			src.Bare.Total(), src.Bare.Unanswered, src.Bare.Repeated)
	}
	if src.NoTS.Total() > 0 {
		text += fmt.Sprintf("; %d without timestamps: %d unanswered", src.NoTS.Total(), src.NoTS.Unanswered)
	}
	return detectors.Line{File: s.file(), Text: text}
}

// otherCounts quotes the sources of main but the first, and those of the other listeners and captures.
func otherCounts(main sign, rest []netip.Addr, signs []sign) []detectors.Line {
	var lines []detectors.Line
	more := 0
	add := func(s sign, from netip.Addr) {
		if len(lines) < maxSources {
			lines = append(lines, countLine(s, from))
		} else {
			more++
		}
	}
	for _, from := range rest {
		add(main, from)
	}
	for _, s := range signs {
		if s == main {
			continue
		}
		for _, from := range s.sources() {
			add(s, from)
		}
	}
	if more > 0 {
		text := fmt.Sprintf("and %d more pairs of a source and a listener, in this capture or others", more)
		lines = append(lines, detectors.Line{File: main.file(), Text: text})
	}
	return lines
}

// bareSettings reports the nodes on which the setting is in force, and no capture shows what it does.
func (j *judge) bareSettings(nodes []string) []detectors.Finding {
	var found []detectors.Finding
	for _, n := range nodes {
		s := j.settings[n]
		if !s.inForce() || j.reported[n] {
			continue
		}
		count, counted := s.dropped(j.b)
		f := detectors.Finding{
			Verdict: detectors.Problem, Severity: detectors.Warning, Case: Setting, Node: n,
			Expected: settingKey + " = 0", Actual: settingKey + " = 1",
			Remedy: []detectors.Command{offCommand(n)},
		}
		where := fmt.Sprintf("on %s, %s", n, s.source())
		if s.state == settingOn {
			f.Actual = detectors.OneLine(settingKey + " = " + s.value)
			f.Evidence = append(f.Evidence, s.line())
		} else {
			where = fmt.Sprintf("for %s on %s, %s", s.emulated[0].Scope, n, s.emulated[0].Source)
		}
		f.Evidence = append(append(f.Evidence, s.emulatedLines()...), counted...)
		does := "SYNs of clients that share an address will be dropped"
		switch {
		case s.harmless():
			f.Evidence = append(f.Evidence, s.timestampsLine())
			does = fmt.Sprintf("it drops nothing as long as %s is 0, as it is there, and does so once that is switched on", timestampsKey)
		case count > 0:
			f.Severity = detectors.Critical
			does = fmt.Sprintf("%d SYNs were dropped for timestamps older than the last of their source", count)
		}
		f.Summary = detectors.OneLine(fmt.Sprintf("%s is 1 %s: %s", settingKey, where, does))
		found = append(found, f)
	}
	return found
}

// offCommand is the remedy.
func offCommand(node string) detectors.Command {
	return detectors.Command{
		Node: node, Argv: []string{"sysctl", "-w", settingKey + "=0"},
		Why: node + " no longer compares the timestamps of different clients behind one address",
	}
}
