package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// order is what who instructs asks for.
type order struct {
	ID      int    `json:"id"`
	Do      string `json:"do"`
	Learner int    `json:"learner"`
	Text    string `json:"text"`
	On      bool   `json:"on"`
}

// place is a learner as who instructs sees them.
type place struct {
	Name string `json:"name"`
	Standing
	Error     string     `json:"error,omitempty"`
	Held      bool       `json:"held"`
	Terminals []terminal `json:"terminals"`
}

// terminal is one that is open.
type terminal struct {
	Number  int    `json:"number"`
	Machine string `json:"machine"`
}

// instructs reports whether the token is that of who instructs.
func (s *Server) instructs(token string) bool { return sameToken(s.instructor, token) }

// class tells each second who is where, and how loaded the machine is, and does what it is asked for.
func (s *Server) class(ctx context.Context, c *websocket.Conn, _ hello) error {
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	group.Go(func() {
		pace := time.NewTicker(s.pace)
		defer pace.Stop()
		for ctx.Err() == nil {
			if write(ctx, c, map[string]any{"event": "class", "places": s.places(ctx), "host": s.host(os.DirFS("/proc"))}) != nil {
				return
			}
			select {
			case <-ctx.Done():
			case <-pace.C:
			}
		}
	})
	for {
		_, data, err := c.Read(ctx)
		if err != nil {
			return nil // it has gone
		}
		var o order
		if err := json.Unmarshal(data, &o); err != nil {
			return err
		}
		a := answer{ID: o.ID, OK: true}
		if err := s.obey(ctx, o); err != nil {
			a = answer{ID: o.ID, Error: err.Error()}
		}
		if err := write(ctx, c, a); err != nil {
			return nil
		}
	}
}

func (s *Server) places(ctx context.Context) []place {
	var all []place
	for _, seat := range s.seats {
		p := place{Name: seat.Name, Held: seat.isHeld(), Terminals: []terminal{}}
		var err error
		if p.Standing, err = seat.Learner.Standing(ctx); err != nil {
			p.Error = err.Error()
		}
		seat.mu.Lock()
		for _, m := range seat.mirrors {
			p.Terminals = append(p.Terminals, terminal{m.number, m.machine})
		}
		seat.mu.Unlock()
		all = append(all, p)
	}
	return all
}

// obey does what who instructs asks for.
func (s *Server) obey(ctx context.Context, o order) error {
	if o.Learner < 0 || o.Learner >= len(s.seats) {
		return fmt.Errorf("there is no learner %d", o.Learner)
	}
	seat := s.seats[o.Learner]
	switch o.Do {
	case "say":
		if o.Text == "" {
			return errors.New("say what?")
		}
		seat.tell(note{Kind: "said", Text: o.Text})
		return nil
	case "hold":
		seat.hold(o.On)
		return nil
	case "noise":
		if err := seat.Learner.Noise(ctx); err != nil {
			return err
		}
		seat.tell(note{Kind: "noise"})
		return nil
	case "pause":
		if err := seat.Learner.Pause(ctx, o.On); err != nil {
			return err
		}
		seat.tell(note{Kind: oneOf(o.On, "paused", "resumed")})
		return nil
	}
	return fmt.Errorf("%w: %q", errNoSuchThing, o.Do)
}

// watch shows a learner's terminal: its size, then what it prints.
func (s *Server) watch(ctx context.Context, c *websocket.Conn, first hello) error {
	if first.Learner < 0 || first.Learner >= len(s.seats) {
		return fmt.Errorf("there is no learner %d", first.Learner)
	}
	m := s.seats[first.Learner].mirror(first.Terminal)
	if m == nil {
		return errors.New("that terminal is closed")
	}
	last, size, coming := m.watch()
	defer m.leave(coming)
	if err := write(ctx, c, size); err != nil {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	group.Go(func() {
		defer cancel() // who watches has gone, or types, which is not watching
		_, _, _ = c.Read(ctx)
	})
	for {
		if err := send(ctx, c, websocket.MessageBinary, last); err != nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case next, more := <-coming:
			if !more {
				return nil
			}
			last = next
		}
	}
}
