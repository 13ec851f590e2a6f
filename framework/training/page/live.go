package page

import (
	"context"
	"encoding/json"
	"io"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// maxRecording is how much of a recording is played, in bytes.
const maxRecording = 8 << 20

// live answers requests, and tells each second which paths pass.
func (s *Server) live(ctx context.Context, c *websocket.Conn, first hello) error {
	seat := s.seatOf(first.Token)
	if err := seat.takeWindow(); err != nil {
		refuse(c, err)
		return nil
	}
	defer seat.leaveWindow()
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	group.Go(func() { s.tellPaths(ctx, c, seat) })
	group.Go(func() { tellNotes(ctx, c, seat) })
	// One thing at a time, for each window: who asks for two checks waits for the first.
	requests := make(chan request, 8)
	group.Go(func() {
		for r := range requests {
			done, err := seat.do(ctx, r)
			a := answer{ID: r.ID, OK: done}
			if err != nil {
				a = answer{ID: r.ID, Error: err.Error()}
			}
			if write(ctx, c, a) != nil {
				cancel()
			}
		}
	})
	defer close(requests)
	for {
		_, data, err := c.Read(ctx)
		if err != nil {
			return nil // it has gone
		}
		var r request
		if err := json.Unmarshal(data, &r); err != nil {
			return err
		}
		select {
		case requests <- r:
		case <-ctx.Done():
			return nil
		}
	}
}

// told is an event.
type told struct {
	Event string `json:"event"`
	Paths []Path `json:"paths,omitempty"`
	// Notes are all that there were.
	Notes []note `json:"notes,omitempty"`
	Error string `json:"error,omitempty"`
}

// tellPaths probes at the server's pace: the next round begins when the last has ended, be it later.
func (s *Server) tellPaths(ctx context.Context, c *websocket.Conn, seat *seat) {
	pace := time.NewTicker(s.pace)
	defer pace.Stop()
	for {
		event := seat.look(ctx, s.pace)
		if ctx.Err() != nil || write(ctx, c, event) != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
	}
}

// look probes, unless another window of the learner's has just done so.
func (s *seat) look(ctx context.Context, pace time.Duration) told {
	s.looking.Lock()
	defer s.looking.Unlock()
	// A window's ticks are a pace apart, and those of two windows fall anywhere between.
	if !s.looked.IsZero() && time.Since(s.looked) < pace/2 {
		return s.sight
	}
	paths, err := s.Learner.Paths(ctx)
	if ctx.Err() != nil {
		return told{} // nobody is told of it
	}
	s.looked, s.sight = time.Now(), told{Event: "paths", Paths: paths}
	if err != nil {
		s.sight = told{Event: "paths", Error: err.Error()}
	}
	return s.sight
}

// tellNotes tells at once what who instructs says and does.
func tellNotes(ctx context.Context, c *websocket.Conn, seat *seat) {
	for {
		notes, more := seat.heard()
		if len(notes) > 0 && write(ctx, c, told{Event: "notes", Notes: notes}) != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-more:
		}
	}
}

// recording is the text of a session's recording.
func recording(ctx context.Context, l Learner, id string) (string, error) {
	r, err := l.Recording(ctx, id)
	if err != nil {
		return "", err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxRecording))
	return string(data), err
}
