package kstate

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/netfault/netfault/framework/internal/rtnl"
	"golang.org/x/sys/unix"
)

// passes is how often Restore goes over everything: a change may undo an earlier one (taking away an address takes its
// routes along, and sysctls set one another) or need a later one (a gateway, the route to it).
const passes = 3

// Problem is a difference that Restore could not undo.
type Problem struct {
	Difference
	// Cause is why, if the kernel or a program said so.
	Cause string `json:"cause,omitempty"`
}

// String returns the difference and the cause in a line.
func (p Problem) String() string {
	s := p.Difference.String()
	if p.Kind == KindState {
		s = p.Kind + " " + p.Object
	}
	if p.Cause != "" {
		s += ": " + p.Cause
	}
	return s
}

// Restore brings the current network namespace back to want, and returns what then still differs. It may be run on any
// state, after half a change or twice; on a state that equals want it changes nothing. Programs that write network state,
// such as flanneld, must not run meanwhile.
//
// VXLAN links and bridges are made again where they are lost, or are not what they were: with their name, address and, if
// it is free, their number. Virtual links that were not there are deleted. Other lost links, such as a veth pair, whose
// other end is elsewhere, stay lost and are reported.
func Restore(ctx context.Context, want State) []Problem {
	c, err := rtnl.Dial(unix.NETLINK_ROUTE)
	if err != nil {
		return []Problem{stateProblem(err)}
	}
	defer c.Close()
	got, err := Record(ctx)
	if err != nil {
		return []Problem{stateProblem(err)}
	}
	diffs := Diff(want, got)
	var left []Problem
	for pass := 0; pass < passes && len(diffs) > 0; pass++ {
		r := restorer{ctx: ctx, conn: c, want: want, got: got, causes: make(map[string]string)}
		if err := r.run(diffs); err != nil {
			return []Problem{stateProblem(err)}
		}
		if got, err = Record(ctx); err != nil {
			return []Problem{stateProblem(err)}
		}
		diffs = Diff(want, got)
		before := left
		left = nil
		for _, d := range diffs {
			left = append(left, Problem{d, r.causes[d.Kind+" "+d.Object]})
		}
		if slices.Equal(left, before) {
			break // the same again
		}
	}
	return left
}

func stateProblem(err error) Problem {
	return Problem{Difference{Kind: KindState, Object: "could not be read"}, err.Error()}
}

// restorer makes one pass.
type restorer struct {
	ctx  context.Context
	conn *rtnl.Conn
	want State
	// got is brought up to date where a step changes what a later one builds on.
	got State
	// causes holds the last error for each "KIND OBJECT".
	causes map[string]string
}

// run returns an error if the state cannot be read; what cannot be changed goes into causes.
func (r *restorer) run(diffs []Difference) error {
	differs := make(map[string]bool)
	for _, d := range diffs {
		differs[d.Kind] = true
	}
	if differs[KindLink] {
		r.links()
		if err := errors.Join(r.got.readNetlink(), r.readSysctls()); err != nil { // a link made again has its own
			return err
		}
	}
	// Before links come up, so that they come up with their own settings (disable_ipv6).
	if differs[KindLink] || differs[KindSysctl] {
		if err := r.sysctls(); err != nil {
			return err
		}
	}
	if differs[KindLink] {
		r.linkFlags()
	}
	for _, t := range tables {
		if err := r.table(t); err != nil {
			return err
		}
	}
	if differs[KindIPTables] {
		r.iptables()
	}
	if differs[KindOffload] {
		r.offloads()
	}
	return nil
}

// failed keeps the cause of a problem that may be left at the end.
func (r *restorer) failed(kind, object string, err error) {
	if err != nil {
		r.causes[kind+" "+object] = err.Error()
	}
}

// table removes the rows that are too many and adds those that are missing. The state is read again before, since a link
// takes its rows along and brings rows of its own.
func (r *restorer) table(t table) error {
	if err := r.got.readNetlink(); err != nil {
		return err
	}
	want, got := *t.rows(&r.want), t.comparable(&r.want, &r.got)
	play := replays[t.kind]
	for _, row := range subtract(got, want) {
		r.failed(t.kind, row.Object, play.Remove(r.conn, row.Message))
	}
	renumber := renumbering(r.want.names(), r.got.Links)
	for _, row := range subtract(want, got) {
		r.failed(t.kind, row.Object, play.Add(r.conn, row.Message, renumber))
	}
	return nil
}

// iptables puts back the tables that differ, those of a program at once, and empties those that were not there.
func (r *restorer) iptables() {
	text := make(map[string]string) // by program
	for _, w := range r.want.IPTables {
		if !slices.Contains(r.got.IPTables, w) {
			text[w.Program] += w.Text
		}
	}
	for _, g := range r.got.IPTables {
		same := func(w Table) bool { return w.Program == g.Program && w.Name == g.Name }
		if !slices.ContainsFunc(r.want.IPTables, same) {
			text[g.Program] += g.emptied()
		}
	}
	for program, text := range text {
		if err := restoreTables(r.ctx, program, text); err != nil {
			for _, d := range diffIPTables(r.want.IPTables, r.got.IPTables) {
				if strings.HasPrefix(d.Object, program+" ") {
					r.failed(d.Kind, d.Object, err)
				}
			}
		}
	}
}
