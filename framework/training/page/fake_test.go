package page

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// learner is one whose network is a story: n2 does not hear n1 until it is healed.
type learner struct {
	mu     sync.Mutex
	hints  int
	checks int
	noise  int
	paused bool
	healed bool
	solved int
	gaveUp int
	// shells are those that were opened, by their machine.
	shells map[string]*fakeShell
	open   func(machine string) *fakeShell
}

func (l *learner) Brief(_ context.Context, language string) (Brief, error) {
	title, pager := "Lisbon", "The shop on `paris` cannot reach its database on `rome`. <b onclick=alert(1)>now</b>"
	if language == "zh" {
		title, pager = "里斯本", "`paris` 上的商店连不上 `rome` 上的数据库。"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for range l.noise {
		pager += "\n\nWARNING oslo: interface br-0 is DOWN"
	}
	return Brief{
		Title: title, Pager: pager, Difficulty: 2, Minutes: 25, Seconds: 83, Paused: l.paused,
		Machines: []Machine{
			{"paris", "node", "", "192.168.100.11"}, {"web", "pod", "paris", "10.244.1.2"}, {"rome", "node", "", "192.168.100.12"},
			{"oslo", "node", "", "192.168.100.13"}, {"desk", "outside", "", "192.168.100.2"},
		},
	}, nil
}

func (l *learner) Paths(context.Context) ([]Path, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Path
	for _, from := range []string{"paris", "rome", "oslo"} {
		for _, to := range []string{"paris", "rome", "oslo"} {
			bad := !l.healed && from != to && from != "oslo" && to != "oslo"
			for _, kind := range []string{"pod", "service"} {
				p := Path{Kind: kind, From: from, To: to, Passes: !bad}
				if bad {
					p.Says = map[string]string{"en": "no answer", "zh": "没有应答"}
				}
				all = append(all, p)
			}
		}
		all = append(all, Path{Kind: "egress", From: from, To: "desk", Passes: true})
	}
	return all, nil
}

func (l *learner) Shell(_ context.Context, machine string, size Size) (Terminal, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if machine != "paris" && machine != "rome" {
		return nil, errors.New("there is no machine " + machine)
	}
	s := l.open(machine)
	s.sizes = append(s.sizes, size)
	if l.shells == nil {
		l.shells = map[string]*fakeShell{}
	}
	l.shells[machine] = s
	return s, nil
}

func (l *learner) Hints(_ context.Context, _ string, another bool) (Hints, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if another {
		l.hints++
	}
	h := Hints{Left: l.hints < 3, Cost: 10, Points: 100 - 10*l.hints, SolutionCost: 50}
	if l.isOver() {
		h.SolutionCost = 0
	}
	for i := range l.hints {
		h.Hints = append(h.Hints, Hint{Step: i + 1, Text: "Look at `ip neigh` on `rome`."})
	}
	return h, nil
}

// isOver is for who holds the lock.
func (l *learner) isOver() bool { return l.healed || l.solved+l.gaveUp > 0 }

func (l *learner) Solution(context.Context) ([]Command, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.solved++
	return []Command{{"rome", "ip neigh del 10.244.1.0 dev flannel.1"}, {"paris", "ip -s link"}}, nil
}

func (l *learner) GiveUp(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gaveUp++
	return nil
}

func (l *learner) Check(context.Context, string) (Verdict, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checks++
	if l.healed {
		return Verdict{Verdict: "healed", Says: "Traffic passes and goes on passing.", Points: 90}, nil
	}
	return Verdict{Verdict: "broken", Says: "It is still broken.", Lines: []string{"pods of paris → pods of rome: no answer"}}, nil
}

func (l *learner) Debrief(context.Context, string) (Debrief, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.isOver() {
		return Debrief{}, errors.New("the network is not healed yet")
	}
	return Debrief{
		Parts:   []Part{{"What happened", "1. A pod on `paris` sends.\n2. The answer dies."}, {"Prevention", "Watch it."}},
		Moments: []Moment{{"first look", 12, "rome", "ip neigh"}, {"fix", 71, "rome", "ip neigh replace 10.244.1.0 lladdr 0a:00:00:00:00:01 dev flannel.1"}, {What: "first right idea"}},
		Points:  90, Took: 83 * time.Second, Sessions: []Session{{"1", "rome", time.Now()}},
	}, nil
}

func (l *learner) Standing(context.Context) (Standing, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Standing{Title: "Lisbon", Seconds: 83, Hints: l.hints, Checks: l.checks, Paused: l.paused, Verdict: map[bool]string{true: "healed", false: "broken"}[l.healed]}, nil
}

func (l *learner) Noise(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.noise++
	return nil
}

func (l *learner) Pause(_ context.Context, paused bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused = paused
	return nil
}

func (l *learner) Recording(_ context.Context, id string) (io.ReadCloser, error) {
	if id != "1" {
		return nil, errors.New("there is no such session")
	}
	return io.NopCloser(strings.NewReader("{\"version\":2,\"width\":60,\"height\":10}\n[0.1,\"o\",\"rome# ip neigh\\r\\n\"]\n[0.2,\"o\",\"played again\\r\\n\"]\n")), nil
}

// fakeShell prints what is typed, or without end.
type fakeShell struct {
	mu     sync.Mutex
	r      *io.PipeReader
	w      *io.PipeWriter
	sizes  []Size
	closed chan struct{}
	once   sync.Once
	// endless prints at all times; printed counts its bytes.
	endless bool
	printed int
}

func echo(string) *fakeShell {
	s := &fakeShell{closed: make(chan struct{})}
	s.r, s.w = io.Pipe()
	return s
}

func endless(string) *fakeShell {
	s := echo("")
	s.endless = true
	return s
}

func (s *fakeShell) Read(b []byte) (int, error) {
	if !s.endless {
		return s.r.Read(b)
	}
	select {
	case <-s.closed:
		return 0, io.EOF
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.printed += len(b)
	return len(b), nil
}

func (s *fakeShell) Write(b []byte) (int, error) { return s.w.Write(b) }

func (s *fakeShell) Resize(size Size) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sizes = append(s.sizes, size)
	return nil
}

func (s *fakeShell) Close() error {
	s.once.Do(func() { close(s.closed); s.w.Close() })
	return nil
}

// serve starts a server on loopback, which ends with the test.
func serve(t *testing.T, learners ...Learner) *Server {
	t.Helper()
	return serveAt(t, Place{}, learners...)
}

func serveAt(t *testing.T, at Place, learners ...Learner) *Server {
	t.Helper()
	var seats []Seat
	for i, l := range learners {
		seats = append(seats, Seat{Name: fmt.Sprintf("learner %d", i+1), Learner: l})
	}
	s, err := Listen(at, seats...)
	if err != nil {
		t.Fatal(err)
	}
	s.pace = 20 * time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(30 * time.Second):
			t.Error("the server does not end")
		}
	})
	return s
}
