package page

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/coder/websocket"
)

// hello is the first message of a socket.
type hello struct {
	Token string `json:"token"`
	// Machine and Size are of a terminal that is to be opened, Learner and Terminal of one that is watched.
	Machine  string `json:"machine"`
	Size     Size   `json:"size"`
	Learner  int    `json:"learner"`
	Terminal int    `json:"terminal"`
}

// socketOf is a WebSocket whose first message must hold a token of those who are allowed; serve serves it from then on, until its
// context or the socket ends.
func (s *Server) socketOf(allowed func(token string) bool, serve func(context.Context, *websocket.Conn, hello) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.stranger(1) {
			http.Error(w, "too many who have not shown a token", http.StatusServiceUnavailable)
			return
		}
		known := false
		defer func() {
			if !known {
				s.stranger(-1)
			}
		}()
		// The guard has compared Origin and Host, and demands an Origin, which the library does not.
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return // it has answered
		}
		s.sockets.Add(1)
		defer s.sockets.Done()
		defer c.CloseNow()
		c.SetReadLimit(maxMessage)
		var first hello
		if err := s.readFirst(c, &first); err != nil {
			return
		}
		if !allowed(first.Token) {
			c.Close(websocket.StatusPolicyViolation, "token")
			return
		}
		known = true
		s.stranger(-1)
		ctx, cancel := context.WithCancel(s.ctx)
		defer cancel()
		if err := serve(ctx, c, first); err != nil {
			c.Close(websocket.StatusInternalError, reason(err))
			return
		}
		if s.ctx.Err() != nil {
			return // the server ends, and waits for no farewell
		}
		c.Close(websocket.StatusNormalClosure, "")
	}
}

// readFirst reads the first message, for which there is a limit of time.
func (s *Server) readFirst(c *websocket.Conn, into any) error {
	ctx, cancel := context.WithTimeout(s.ctx, s.patience)
	defer cancel()
	_, data, err := c.Read(ctx)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// write writes a message of JSON.
func write(ctx context.Context, c *websocket.Conn, message any) error {
	data, err := json.Marshal(message)
	if err != nil {
		return err
	}
	return send(ctx, c, websocket.MessageText, data)
}

// send writes what a browser must accept in time.
func send(ctx context.Context, c *websocket.Conn, kind websocket.MessageType, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	return c.Write(ctx, kind, data)
}

// reason fits an error into a close frame (RFC 6455, 5.5: 125 bytes with the code).
func reason(err error) string {
	text := err.Error()
	const most = 120
	if len(text) > most {
		text = text[:most]
	}
	return text
}

// request is what the page asks for.
type request struct {
	ID       int    `json:"id"`
	Do       string `json:"do"`
	Language string `json:"language"`
	Session  string `json:"session"`
}

// answer is what it is told.
type answer struct {
	ID    int    `json:"id"`
	OK    any    `json:"ok,omitempty"`
	Error string `json:"error,omitempty"`
}

var errNoSuchThing = errors.New("there is no such thing")

// held says that the debrief waits for who instructs.
var held = map[string]string{"en": "your instructor holds the debrief, and will give it", "zh": "教员暂缓了复盘，稍后会放行"}

// do does what is asked for.
func (s *seat) do(ctx context.Context, r request) (any, error) {
	l := s.Learner
	switch r.Do {
	case "brief":
		b, err := l.Brief(ctx, r.Language)
		return struct {
			Brief
			Pager string `json:"pager"`
		}{b, html(b.Pager)}, err
	case "hints", "hint":
		h, err := l.Hints(ctx, r.Language, r.Do == "hint")
		return shownHints(h), err
	case "check":
		return l.Check(ctx, r.Language)
	case "solution":
		return l.Solution(ctx)
	case "debrief", "give up":
		if s.isHeld() {
			return nil, errors.New(cmp.Or(held[r.Language], held["en"])) // and costs nothing
		}
		if r.Do == "give up" {
			if err := l.GiveUp(ctx); err != nil {
				return nil, err
			}
		}
		d, err := l.Debrief(ctx, r.Language)
		return shownDebrief(d), err
	case "recording":
		return recording(ctx, l, r.Session)
	}
	return nil, fmt.Errorf("%w: %q", errNoSuchThing, r.Do)
}
