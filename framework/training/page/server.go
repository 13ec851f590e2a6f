package page

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Limits of a server. They are far above what people need, and below what harms the machine.
const (
	// MaxSockets is how many sockets may be open, for each learner.
	MaxSockets = 32
	// MaxTerminals is how many of them may be terminals.
	MaxTerminals = 16
	// maxStrangers is how many sockets may be open that have not shown a token yet, and tokenLimit how long they may take.
	maxStrangers = 16
	tokenLimit   = 5 * time.Second
	// maxMessage is the size of a message from a browser, in bytes: a paste goes in pieces.
	maxMessage = 64 << 10
	// writeLimit is how long a browser may take to accept a message. What a shell prints meanwhile waits in the shell.
	writeLimit = 10 * time.Second
	// endLimit is how long sockets may take to end when the server does.
	endLimit = 5 * time.Second
)

// Server is the page for some learners, each with a token.
type Server struct {
	listener net.Listener
	http     *http.Server
	seats    []*seat
	// pace is the time between two rounds of probes, and patience how long a socket may take to show a token.
	pace, patience time.Duration
	// ctx ends with the server, and everything that learners have started with it.
	ctx context.Context
	end context.CancelFunc

	mu        sync.Mutex
	strangers int
	sockets   sync.WaitGroup
}

// seat is a learner's place.
type seat struct {
	learner            Learner
	token              string
	mu                 sync.Mutex
	sockets, terminals int
}

// Listen takes a port of loopback, any if it is 0. Its error says what to do.
func Listen(port int, learners ...Learner) (*Server, error) {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, fmt.Errorf("%w: take another port, or 0 for any that is free", err)
	}
	s := &Server{listener: l, pace: time.Second, patience: tokenLimit}
	s.ctx, s.end = context.WithCancel(context.Background())
	for _, learner := range learners {
		s.seats = append(s.seats, &seat{learner: learner, token: newToken()})
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", static())
	mux.HandleFunc("GET /live", s.socket(false, s.live))
	mux.HandleFunc("GET /terminal", s.socket(true, s.terminal))
	_, number, _ := net.SplitHostPort(l.Addr().String())
	s.http = &http.Server{Handler: newGuard(number, mux), ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	return s, nil
}

// Address is the page's address for a learner, by their place. It holds the learner's token, in the fragment, which browsers send nowhere.
func (s *Server) Address(learner int) string {
	return fmt.Sprintf("http://%s/#%s", s.listener.Addr(), s.seats[learner].token)
}

// Serve serves until ctx ends, and returns when everything that was started has ended.
func (s *Server) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		s.end()
		closing, cancel := context.WithTimeout(context.Background(), endLimit)
		defer cancel()
		_ = s.http.Shutdown(closing) // what does not end in time is closed below
		_ = s.http.Close()
	})
	defer stop()
	err := s.http.Serve(s.listener)
	s.end()
	s.sockets.Wait()
	if errors.Is(err, http.ErrServerClosed) && ctx.Err() != nil {
		return nil
	}
	return err
}

// seatOf returns the place of who has the token; nil if nobody has.
func (s *Server) seatOf(token string) *seat {
	var found *seat
	for _, seat := range s.seats { // all are compared, whoever it is
		if sameToken(seat.token, token) {
			found = seat
		}
	}
	return found
}

// take counts a socket, unless there are too many.
func (s *seat) take(terminal bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.sockets >= MaxSockets:
		return fmt.Errorf("%d connections are open: close other windows of this page", s.sockets)
	case terminal && s.terminals >= MaxTerminals:
		return fmt.Errorf("%d terminals are open: close one", s.terminals)
	}
	s.sockets++
	if terminal {
		s.terminals++
	}
	return nil
}

func (s *seat) leave(terminal bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sockets--
	if terminal {
		s.terminals--
	}
}

// stranger counts a socket that has not shown a token, unless there are too many.
func (s *Server) stranger(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.strangers+n > maxStrangers {
		return false
	}
	s.strangers += n
	return true
}
