// Package undo brings a lab back to what it was before a fault: it keeps a journal on disk, written before anything is
// changed, and from it alone restores every node's network state and the set of nodes that run flanneld. That works
// after a half-done injection, twice in a row, and in another process than the one that wrote the journal.
package undo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/kstate"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lab/owner"
	"github.com/netfault/netfault/framework/lock"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/wait"
)

// journalVersion is the version of the journal's form.
const journalVersion = 1

// settleLimit is how long an undo may take: flanneld has to start and to spread its leases.
const settleLimit = 30 * time.Second

// Recorded is the state of a lab at one moment, without counters and ages.
type Recorded struct {
	Machines map[string]agent.Recorded `json:"machines"`
	// Flannel lists the nodes that run flanneld.
	Flannel []string         `json:"flannel"`
	Leases  []evidence.Lease `json:"leases"`
}

// Journal is what stands on disk while a fault is in force.
type Journal struct {
	Version  int       `json:"version"`
	Scenario string    `json:"scenario"`
	Begun    time.Time `json:"begun"`
	// By is the process that began it.
	By     owner.Process `json:"by"`
	Before Recorded      `json:"before"`
}

func journalPath(stateDir string) string { return filepath.Join(stateDir, "journal.json") }

// Record reads the state of every node with its pods, and of the host outside, side by side.
func Record(ctx context.Context, l lab.Lab) (Recorded, error) { return record(ctx, l, machines(l)) }

// Glance reads what flanneld and dockerd write: the tables of every node, and the leases. It costs a fraction of Record.
func Glance(ctx context.Context, l lab.Lab) (Recorded, error) {
	var nodes []recordedMachine
	for _, n := range l.Nodes() {
		nodes = append(nodes, recordedMachine{n.Machine, agent.Tables})
	}
	return record(ctx, l, nodes)
}

func record(ctx context.Context, l lab.Lab, machines []recordedMachine) (Recorded, error) {
	r := Recorded{Machines: map[string]agent.Recorded{}}
	states := make([]agent.Recorded, len(machines))
	group, groupCtx := errgroup.WithContext(ctx)
	for i, m := range machines {
		group.Go(func() error {
			out, err := machine.Output(groupCtx, m, l.Agent(), "record", "--part="+string(m.part))
			if err != nil {
				return fmt.Errorf("record: %w", err)
			}
			return json.Unmarshal(out, &states[i])
		})
	}
	group.Go(func() (err error) {
		r.Flannel, err = l.Flannel().Running(groupCtx)
		return err
	})
	group.Go(func() (err error) {
		r.Leases, err = l.Leases(groupCtx)
		return err
	})
	if err := group.Wait(); err != nil {
		return Recorded{}, err
	}
	for i, m := range machines {
		r.Machines[m.Name()] = states[i]
	}
	return r, nil
}

type recordedMachine struct {
	machine.Machine
	part agent.Part
}

func machines(l lab.Lab) []recordedMachine {
	all := []recordedMachine{{l.Outside().Machine, agent.All}}
	if dns := l.DNS().Pod; dns != nil {
		all = append(all, recordedMachine{dns, agent.Network})
	}
	for _, n := range l.Nodes() {
		all = append(all, recordedMachine{n.Machine, agent.All}, recordedMachine{n.Pod.Machine, agent.Network}, recordedMachine{n.Client.Machine, agent.Network})
	}
	return all
}

// Diff lists, one line each, in what got differs from want.
func Diff(want, got Recorded) []string {
	var lines []string
	names := make([]string, 0, len(want.Machines))
	for name := range want.Machines {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		lines = append(lines, machineDiff(name, want.Machines[name], got.Machines[name])...)
	}
	lines = append(lines, listDiff("flanneld on", want.Flannel, got.Flannel)...)
	return append(lines, listDiff("lease", leaseLines(want.Leases), leaseLines(got.Leases))...)
}

func machineDiff(name string, want, got agent.Recorded) []string {
	var lines []string
	for _, d := range kstate.Diff(want.Network, got.Network) {
		lines = append(lines, name+": "+d.String())
	}
	lines = append(lines, listDiff(name+": process", want.Processes, got.Processes)...)
	lines = append(lines, listDiff(name+": options", optionLines(want.Options), optionLines(got.Options))...)
	return append(lines, listDiff(name+": tcp_tw_recycle of", want.Recycle, got.Recycle)...)
}

func optionLines(files map[string]string) []string {
	lines := make([]string, 0, len(files))
	for path, content := range files {
		lines = append(lines, fmt.Sprintf("%s with %q", path, content))
	}
	slices.Sort(lines)
	return lines
}

func leaseLines(leases []evidence.Lease) []string {
	lines := make([]string, len(leases))
	for i, l := range leases {
		lines[i] = fmt.Sprintf("%s %s %s %s", l.Node, l.PodCIDR, l.PublicIP, l.VtepMAC)
	}
	return lines
}

// listDiff compares two sorted lists of lines.
func listDiff(what string, want, got []string) []string {
	var lines []string
	for _, w := range want {
		if !slices.Contains(got, w) {
			lines = append(lines, what+" "+w+": gone")
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			lines = append(lines, what+" "+g+": was not there before")
		}
	}
	if len(lines) == 0 && len(want) != len(got) {
		lines = append(lines, fmt.Sprintf("%s: %d before, %d now", what, len(want), len(got)))
	}
	return lines
}

// None returns an error unless no fault is in force on the lab.
func None(l lab.Lab) error {
	j, err := Read(l)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%s is in force on %s (since %s): `%s` or `%s` first", j.Scenario, l.Name(), j.Begun.Local().Format(time.TimeOnly),
		lab.Command(l.Name(), "fault heal"), lab.Command(l.Name(), "reset"))
}

// Begin records the lab's state and writes the journal, after which anything may be changed. It fails if a journal is
// there already.
func Begin(ctx context.Context, l *lock.Held, scenario string) (Journal, error) {
	if err := l.Check(); err != nil {
		return Journal{}, err
	}
	if err := None(l); err != nil {
		return Journal{}, err
	}
	by, err := owner.This()
	if err != nil {
		return Journal{}, err
	}
	before, err := Record(ctx, l)
	if err != nil {
		return Journal{}, err
	}
	j := Journal{Version: journalVersion, Scenario: scenario, Begun: time.Now().UTC(), By: by, Before: before}
	data, err := json.Marshal(j)
	if err != nil {
		return Journal{}, err
	}
	// Renamed into place, so that a journal is whole or absent.
	path := journalPath(l.StateDir())
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return Journal{}, err
	}
	return j, os.Rename(path+".new", path)
}

// Read returns the journal; an error wraps fs.ErrNotExist when no fault is in force.
func Read(l lab.Lab) (Journal, error) { return ReadIn(l.StateDir()) }

// ReadIn is Read for a lab that is not opened, and may be broken.
func ReadIn(stateDir string) (Journal, error) {
	path := journalPath(stateDir)
	data, err := os.ReadFile(path)
	if err != nil {
		return Journal{}, err
	}
	var j Journal
	err = json.Unmarshal(data, &j)
	switch {
	case err != nil:
	case j.Version != journalVersion:
		err = fmt.Errorf("it has version %d, and this netfault knows %d", j.Version, journalVersion)
	case len(j.Before.Machines) == 0:
		err = errors.New("it records no machine")
	}
	if err != nil {
		return Journal{}, fmt.Errorf("the journal %s cannot be read, so that nobody knows what to undo: %w; `%s` removes the lab",
			path, err, lab.Command(filepath.Base(stateDir), "lab down"))
	}
	return j, nil
}

// UndoOwn undoes what this process has begun, if it has begun anything: what another has begun is not its own to undo.
func UndoOwn(ctx context.Context, l *lock.Held) error {
	j, err := Read(l)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if this, thisErr := owner.This(); thisErr != nil || err != nil || j.By != this {
		return thisErr
	}
	return Undo(ctx, l)
}

// Undo brings the lab back to what the journal recorded, checks that by comparing, and then closes the journal. The
// error lists what could not be undone; the journal stays then. Without a journal there is nothing to do.
func Undo(ctx context.Context, l *lock.Held) error {
	if err := l.Check(); err != nil {
		return err
	}
	j, err := Read(l)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	now, err := Record(ctx, l)
	if err != nil {
		return err
	}
	if err := Restore(ctx, l, j.Before, now); err != nil {
		return fmt.Errorf("undo of %s: %w", j.Scenario, err)
	}
	return os.Remove(journalPath(l.StateDir()))
}

// Close closes the journal of a lab whose state was just seen to be what it recorded.
func Close(ctx context.Context, l *lock.Held) error {
	if err := l.Check(); err != nil {
		return err
	}
	if err := forgetLearned(ctx, l); err != nil {
		return err
	}
	return os.Remove(journalPath(l.StateDir()))
}

// Restore makes the lab's state, which is now as it was recorded last, equal to want, and returns an error that lists every
// difference that is left.
func Restore(ctx context.Context, l *lock.Held, want, now Recorded) error {
	if err := l.Check(); err != nil {
		return err
	}
	if len(Diff(want, now)) == 0 {
		return forgetLearned(ctx, l)
	}
	ofFlannel := concernsFlannel(want, now)
	if ofFlannel {
		// It is stopped first: it would undo, or build on, what is being restored.
		if err := l.Flannel().Delete(ctx); err != nil {
			return err
		}
	}
	problems, err := restoreMachines(ctx, l, want, now)
	if err != nil {
		return err
	}
	if ofFlannel {
		if err := l.Flannel().Create(ctx, want.Flannel...); err != nil {
			return err
		}
	}
	// A flanneld that started before its peer's lease was renewed has added rows for the old lease; they are taken
	// away again here.
	err = wait.Until(ctx, settleLimit, "the state before the fault", func(ctx context.Context) error {
		now, err := Record(ctx, l)
		if err != nil {
			return err
		}
		left := Diff(want, now)
		if len(left) == 0 {
			return nil
		}
		if problems, err = restoreMachines(ctx, l, want, now); err != nil {
			return err
		}
		return fmt.Errorf("%d differences are left:\n  %s", len(left), strings.Join(left, "\n  "))
	})
	if err != nil && len(problems) > 0 {
		return fmt.Errorf("%w\nnot undone:\n  %s", err, strings.Join(problems, "\n  "))
	}
	if err != nil {
		return err
	}
	return forgetLearned(ctx, l)
}

// concernsFlannel says that what differs is flanneld's: where it runs, its leases, or what it writes on nodes. It checks its
// iptables rules again and again, and finds them as it left them.
func concernsFlannel(want, now Recorded) bool {
	if !slices.Equal(want.Flannel, now.Flannel) || !slices.Equal(want.Leases, now.Leases) {
		return true
	}
	for name, w := range want.Machines {
		for _, d := range kstate.Diff(w.Network, now.Machines[name].Network) {
			switch d.Kind {
			case kstate.KindIPTables, kstate.KindSysctl, kstate.KindQdisc, kstate.KindFilter, kstate.KindOffload:
			default:
				return true
			}
		}
	}
	return false
}

// restoreMachines restores the state of the machines that differ side by side, and says what it could not.
func restoreMachines(ctx context.Context, l lab.Lab, want, now Recorded) ([]string, error) {
	machines := slices.DeleteFunc(machines(l), func(m recordedMachine) bool {
		return len(machineDiff(m.Name(), want.Machines[m.Name()], now.Machines[m.Name()])) == 0
	})
	problems := make([][]string, len(machines))
	group, ctx := errgroup.WithContext(ctx)
	for i, m := range machines {
		group.Go(func() error {
			state, err := json.Marshal(want.Machines[m.Name()])
			if err != nil {
				return err
			}
			var out bytes.Buffer
			if err := m.Run(ctx, machine.Command{Argv: []string{l.Agent(), "restore"}, Stdin: bytes.NewReader(state), Stdout: &out}); err != nil {
				return fmt.Errorf("restore: %w", err)
			}
			var left []kstate.Problem
			if err := json.Unmarshal(out.Bytes(), &left); err != nil {
				return fmt.Errorf("restore: %s: %w", m.Name(), err)
			}
			for _, p := range left {
				problems[i] = append(problems[i], m.Name()+": "+p.String())
			}
			return nil
		})
	}
	err := group.Wait()
	return slices.Concat(problems...), err
}
