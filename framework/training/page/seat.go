package page

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// seat is a learner's place: what they have open, and what who instructs has laid down for them.
type seat struct {
	Seat
	token string

	// looking is held while the network is probed; sight is what was seen last, and looked when.
	looking sync.Mutex
	looked  time.Time
	sight   told

	mu      sync.Mutex
	windows int
	mirrors []*mirror
	opened  int
	// held says that the debrief waits for who instructs.
	held bool
	// notes are what who instructs has said and done; news is closed when there is more.
	notes []note
	news  chan struct{}
}

// note is something that who instructs has said or done, of which the learner is told.
type note struct {
	// Kind is "said", "noise", "paused", "resumed", "held" or "given".
	Kind string `json:"kind"`
	// Text is what was said.
	Text string `json:"text,omitempty"`
}

// takeWindow counts a socket that is no terminal, unless there are too many.
func (s *seat) takeWindow() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.windows >= MaxWindows {
		return fmt.Errorf("%d windows are open: close others of this page", s.windows)
	}
	s.windows++
	return nil
}

func (s *seat) leaveWindow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.windows--
}

// takeTerminal counts a terminal, unless there are too many, and returns its mirror.
func (s *seat) takeTerminal(machine string, size Size) (*mirror, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mirrors) >= MaxTerminals {
		return nil, fmt.Errorf("%d terminals are open: close one", len(s.mirrors))
	}
	s.opened++
	m := newMirror(s.opened, machine, size)
	s.mirrors = append(s.mirrors, m)
	return m, nil
}

func (s *seat) leaveTerminal(m *mirror) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.close()
	s.mirrors = slices.DeleteFunc(s.mirrors, func(other *mirror) bool { return other == m })
}

// mirror returns the terminal of that number; nil if it is not open.
func (s *seat) mirror(number int) *mirror {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.mirrors {
		if m.number == number {
			return m
		}
	}
	return nil
}

// hold has the debrief wait, or lets it come.
func (s *seat) hold(held bool) {
	s.mu.Lock()
	s.held = held
	s.mu.Unlock()
	s.tell(note{Kind: oneOf(held, "held", "given")})
}

func oneOf(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

func (s *seat) isHeld() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}

// tell keeps a note for the learner, in whatever window it is shown.
func (s *seat) tell(n note) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = append(s.notes, n)
	if s.news != nil {
		close(s.news)
		s.news = nil
	}
}

// heard returns all notes, and what is closed when there are more.
func (s *seat) heard() ([]note, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.news == nil {
		s.news = make(chan struct{})
	}
	return slices.Clone(s.notes), s.news
}

// refuse tells a socket why it gets nothing.
func refuse(c *websocket.Conn, err error) { c.Close(websocket.StatusTryAgainLater, reason(err)) }
