package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/probe"
	"github.com/netfault/netfault/framework/training"
	"github.com/netfault/netfault/framework/training/page"
)

// desk is a learner's attempt, as the page needs it. What changes the lab is done one after the other, in whatever window it is asked for.
type desk struct {
	a *training.Attempt
	e exercise

	changing sync.Mutex
}

// open opens the lab, which may be broken by the learner.
func (d *desk) open(ctx context.Context) (lab.Lab, error) {
	return d.e.site(d.a).Partly(ctx)
}

// change does something to the lab.
func (d *desk) change(do func(*training.Site) error) error {
	d.changing.Lock()
	defer d.changing.Unlock()
	return do(d.e.site(d.a))
}

// Brief implements page.Learner, as do all below.
func (d *desk) Brief(ctx context.Context, language string) (page.Brief, error) {
	l, err := d.open(ctx)
	if err != nil {
		return page.Brief{}, training.InLanguage(err, training.Language(language))
	}
	faulty, err := d.a.Faulty()
	if err != nil {
		return page.Brief{}, err
	}
	log, err := d.a.Log()
	if err != nil {
		return page.Brief{}, err
	}
	text, say := d.e.Text(training.Language(language)), phrases[training.Language(language)]
	pager := faulty.Values.Fill(text.Pager)
	for _, alarm := range faulty.OtherAlarms {
		pager += "\n\n" + say.alsoAlarm + ": `" + alarm + "`"
	}
	return page.Brief{
		Title: text.Title, Pager: pager, Difficulty: d.e.Difficulty, Minutes: d.e.Minutes,
		Seconds: log.Took().Seconds(), Paused: log.IsPaused(), Over: log.Healed() != nil, Machines: machinesOf(l),
	}, nil
}

// machinesOf are those that one may log in to, by their names, which say nothing of the parts that they play.
func machinesOf(l lab.Lab) []page.Machine {
	nodes := slices.SortedFunc(slices.Values(l.Nodes()), func(a, b lab.Node) int { return strings.Compare(a.Name(), b.Name()) })
	var all []page.Machine
	for _, n := range nodes {
		all = append(all, page.Machine{Name: n.Name(), Kind: "node", Address: n.Address.String()})
		for _, p := range []lab.Pod{n.Pod, n.Client} {
			all = append(all, page.Machine{Name: p.Name(), Kind: "pod", Node: n.Name(), Address: p.Address.String()})
		}
	}
	return append(all, page.Machine{Name: l.Outside().Name(), Kind: "outside", Address: l.Outside().Address.String()})
}

func (d *desk) Paths(ctx context.Context) ([]page.Path, error) {
	l, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	results, err := probe.Run(ctx, l)
	var all []page.Path
	for _, p := range results {
		path := page.Path{Kind: p.Kind, From: p.From, To: p.To, Passes: true}
		if why := probe.Failure(l, p); why != "" {
			path.Passes, path.Says = false, map[string]string{}
			for language, says := range training.Why(why) {
				path.Says[string(language)] = says
			}
		}
		all = append(all, path)
	}
	return all, err
}

// pageTerm is the kind of terminal that the page has.
const pageTerm = "xterm-256color"

func (d *desk) Shell(ctx context.Context, machine string, size page.Size) (page.Terminal, error) {
	m, err := machineOfSite(ctx, d.e.site(d.a), machine)
	if err != nil {
		return nil, training.InLanguage(err, d.a.Language)
	}
	ctx, cancel := context.WithCancel(ctx)
	typed, typing := io.Pipe()
	shown, showing := io.Pipe()
	t := &pageTerminal{PipeReader: shown, typing: typing, cancel: cancel, size: size, resized: make(chan os.Signal, 1), ended: make(chan struct{})}
	go func() {
		defer close(t.ended)
		err := login(ctx, d.a, m, outerTerminal{in: typed, out: showing, term: pageTerm, fd: -1, size: t.currentSize, resized: t.resized})
		if _, exited := errors.AsType[exitCode](err); exited || ctx.Err() != nil {
			err = nil // a shell may end as it likes
		}
		showing.CloseWithError(err)
	}()
	return t, nil
}

// pageTerminal is a shell that is shown in the page.
type pageTerminal struct {
	*io.PipeReader
	typing  *io.PipeWriter
	cancel  context.CancelFunc
	resized chan os.Signal
	ended   chan struct{}

	mu   sync.Mutex
	size page.Size
}

// Write types.
func (t *pageTerminal) Write(p []byte) (int, error) { return t.typing.Write(p) }

// Resize implements page.Terminal.
func (t *pageTerminal) Resize(size page.Size) error {
	t.mu.Lock()
	t.size = size
	t.mu.Unlock()
	select {
	case t.resized <- syscall.SIGWINCH:
	default: // it will look at the size anyway
	}
	return nil
}

func (t *pageTerminal) currentSize() (columns, rows int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.size.Columns == 0 || t.size.Rows == 0 {
		return 0, 0, errors.New("nobody knows")
	}
	return int(t.size.Columns), int(t.size.Rows), nil
}

// Close ends the shell, and what runs in the foreground of its terminal.
func (t *pageTerminal) Close() error {
	t.cancel()
	err := errors.Join(t.PipeReader.Close(), t.typing.Close())
	<-t.ended
	return err
}

func (d *desk) Hints(ctx context.Context, language string, another bool) (page.Hints, error) {
	log, err := d.a.Log()
	if err != nil {
		return page.Hints{}, err
	}
	given, _ := log.Help()
	h := page.Hints{Left: true, Cost: training.HintCost, Points: log.PointsLeft(), SolutionCost: log.SolutionLeft()}
	if given == 0 && !another {
		return h, nil // without a look at the network, which takes a while
	}
	err = d.change(func(site *training.Site) error {
		hints, more, err := site.Hints(ctx, training.Language(language), another)
		h.Left = more
		for _, g := range hints {
			h.Hints = append(h.Hints, page.Hint{Step: g.Step, Text: g.Text})
		}
		return err
	})
	if err != nil {
		return page.Hints{}, training.InLanguage(err, training.Language(language))
	}
	if log, err = d.a.Log(); err != nil {
		return page.Hints{}, err
	}
	h.Points, h.SolutionCost = log.PointsLeft(), log.SolutionLeft()
	return h, nil
}

func (d *desk) Solution(context.Context) ([]page.Command, error) {
	commands, err := d.e.site(d.a).Solution()
	var all []page.Command
	for _, c := range commands {
		all = append(all, page.Command{Machine: c.Machine, Command: c.Command})
	}
	return all, err
}

func (d *desk) GiveUp(context.Context) error { return d.e.site(d.a).GiveUp() }

func (d *desk) Check(ctx context.Context, language string) (page.Verdict, error) {
	var r training.Result
	var log training.Log
	err := d.change(func(site *training.Site) (err error) {
		r, log, err = site.Judge(ctx)
		return err
	})
	if err != nil {
		return page.Verdict{}, training.InLanguage(err, training.Language(language))
	}
	says, lines := resultLines(training.Language(language), r, log)
	return page.Verdict{Verdict: string(r.Verdict), Says: says, Lines: lines, Points: log.Points()}, nil
}

func (d *desk) Debrief(_ context.Context, language string) (page.Debrief, error) {
	log, err := d.a.Log()
	if err != nil {
		return page.Debrief{}, err
	}
	say := phrases[training.Language(language)]
	if _, solution := log.Help(); log.Healed() == nil && !solution {
		return page.Debrief{}, errors.New(say.notHealedYet)
	}
	faulty, err := d.a.Faulty()
	if err != nil {
		return page.Debrief{}, err
	}
	told := d.e.Tell(training.Language(language), faulty, log)
	all := page.Debrief{
		Points: log.Points(), Took: log.Took(),
		Parts: debriefParts(say, told),
	}
	for _, m := range told.Moments {
		moment := page.Moment{What: m.What[training.Language(language)], Seconds: m.After.Seconds()}
		if m.Entry != nil && m.Entry.Kind == training.Ran {
			moment.Machine, moment.Command = m.Entry.Machine, detectors.Command{Argv: m.Entry.Argv}.String()
		}
		all.Moments = append(all.Moments, moment)
	}
	sessions, err := d.a.Sessions()
	for _, one := range sessions {
		all.Sessions = append(all.Sessions, page.Session{ID: filepath.Base(one.File), Machine: one.Machine, Began: one.Began})
	}
	return all, err
}

func (d *desk) Standing(context.Context) (page.Standing, error) {
	log, err := d.a.Log()
	hints, _ := log.Help()
	checks, last := log.Checks()
	return page.Standing{
		Title: d.e.Text(training.English).Title, Seconds: log.Took().Seconds(), Paused: log.IsPaused(), Hints: hints, Checks: checks, Verdict: string(last),
	}, err
}

func (d *desk) Noise(ctx context.Context) error {
	return d.change(func(site *training.Site) error { return site.AddNoise(ctx, uint64(time.Now().UnixNano())) })
}

func (d *desk) Pause(_ context.Context, paused bool) error {
	kind := training.Resumed
	if paused {
		kind = training.Paused
	}
	return d.a.Add(training.Entry{Kind: kind})
}

func (d *desk) Recording(_ context.Context, id string) (io.ReadCloser, error) {
	sessions, err := d.a.Sessions()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(sessions, func(one training.Session) bool { return filepath.Base(one.File) == id })
	if i < 0 {
		return nil, errors.New("there is no such session")
	}
	return os.Open(sessions[i].File)
}
