package twrecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/twrecycle/internal/recycle"
)

// capturedTrace is one capture and what it shows.
type capturedTrace struct {
	node, name string
	trace      *recycle.Trace
	// cutOff says that the file ends within a packet, as that of a capture that was killed.
	cutOff bool
	// err is what else was wrong with the file; the trace goes up to there.
	err error
}

func (c *capturedTrace) file() string { return evidence.CaptureFile(c.node, c.name) }

// traceCaptures reads all captures of one node.
func traceCaptures(ctx context.Context, b *evidence.Bundle, node string) []capturedTrace {
	names, err := b.Captures(node)
	if err != nil {
		return []capturedTrace{{node: node, trace: recycle.New(), err: err}}
	}
	var all []capturedTrace
	for _, name := range names {
		c := capturedTrace{node: node, name: name, trace: recycle.New()}
		for s, err := range b.Segments(node, name) {
			if err == nil {
				err = c.trace.See(&s)
			}
			if err == nil {
				err = ctx.Err()
			}
			if errors.Is(err, evidence.ErrCutOff) {
				c.cutOff = true
			} else if err != nil {
				c.err = err
			}
			if err != nil {
				break
			}
		}
		c.trace.End()
		all = append(all, c)
	}
	return all
}

// sign is one listener in one capture that drops SYNs for their timestamps.
type sign struct {
	*capturedTrace
	addr     netip.AddrPort
	listener *recycle.Listener
	// kind is which SYNs it drops; where it is both, those with an older timestamp.
	kind recycle.Kind
}

// dropped counts the SYNs of a tally that are of the sign's kind.
func (s sign) dropped(t recycle.Tally) recycle.Held { return *t.Held(s.kind) }

// signs returns the listeners with strong signs, in the order of the captures and of their addresses.
func (j *judge) signs() []sign {
	var all []sign
	for i := range j.captures {
		c := &j.captures[i]
		for _, addr := range listeners(c.trace) {
			l := c.trace.Listeners[addr]
			for _, k := range recycle.Kinds {
				if s, _ := l.Judge(k); s == recycle.StrongSign {
					all = append(all, sign{c, addr, l, k})
					break
				}
			}
		}
	}
	return all
}

func listeners(t *recycle.Trace) []netip.AddrPort {
	return slices.SortedFunc(maps.Keys(t.Listeners), netip.AddrPort.Compare)
}

// sources returns the clients whose SYNs the listener dropped, those with the most first.
func (s sign) sources() []netip.Addr {
	var all []netip.Addr
	for addr, src := range s.listener.Sources {
		if s.dropped(src.Tally).Unanswered > 0 {
			all = append(all, addr)
		}
	}
	slices.SortFunc(all, func(a, b netip.Addr) int {
		x, y := s.listener.Sources[a], s.listener.Sources[b]
		return cmp.Or(cmp.Compare(s.dropped(y.Tally).Unanswered, s.dropped(x.Tally).Unanswered), a.Compare(b))
	})
	return all
}

// addDoubts notes what leaves the detector undecided: settings and captures that could not be read, and captures that hold
// too little. What a listener does that is a problem already is no doubt in another capture.
func (j *judge) addDoubts(nodes []string, why *detectors.Doubts) {
	for _, n := range nodes {
		s := j.settings[n]
		if s.state == settingUnread && len(s.emulated) == 0 {
			why.Add(n, s.why)
		}
		for _, l := range s.doubtful {
			why.Add(n, l)
		}
	}
	known := map[netip.Addr]bool{}
	for _, s := range j.signs() {
		known[s.addr.Addr()] = true
	}
	for i := range j.captures {
		c := &j.captures[i]
		add := func(text string) { why.Add(c.node, detectors.Line{File: c.file(), Text: text}) }
		if c.err != nil {
			why.Add(c.node, detectors.Unreadable(c.file(), c.err))
		}
		t := c.trace
		if t.Cut > 0 {
			add(fmt.Sprintf("%d SYNs are cut off before their timestamps: capture with -s 128", t.Cut))
		}
		if t.Answers == 0 && t.Silent > 0 {
			add(fmt.Sprintf("no answer to any of %d requests is in it: nobody answers, or the answers take another way: "+
				"capture on the interface that `ip route get POD-IP` names on the pod's node", t.Requests))
		}
		for _, addr := range listeners(t) {
			l := t.Listeners[addr]
			for _, k := range recycle.Kinds {
				if s, lack := l.Judge(k); s == recycle.WeakSign && !known[addr.Addr()] {
					sum := l.Sum()
					held := sum.Held(k)
					add(fmt.Sprintf("%d of %d requests to %s %s stayed unanswered: %s; capture all of TCP for some minutes more",
						held.Unanswered, held.Total(), addr, k, lack))
				}
			}
		}
	}
}
