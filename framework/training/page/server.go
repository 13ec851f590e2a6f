package page

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Limits of a server. They are far above what people need, and below what harms the machine.
const (
	// MaxLearners is how many may share a server: each has a lab of some 60 MB, which probes each second.
	MaxLearners = 16
	// MaxWindows is how many windows of the page may be open for each learner, and MaxTerminals how many terminals.
	MaxWindows, MaxTerminals = 16, 16
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

// What a page listens on.
const (
	loopback   = "127.0.0.1"
	everywhere = "0.0.0.0"
)

// Server is the page for some learners, each with a token.
type Server struct {
	listener net.Listener
	http     *http.Server
	// name is what addresses call it, with the port.
	name  string
	seats []*seat
	// instructor is the token of who instructs.
	instructor string
	// pace is the time between two rounds of probes, and patience how long a socket may take to show a token.
	pace, patience time.Duration
	// ctx ends with the server, and everything that learners have started with it.
	ctx context.Context
	end context.CancelFunc

	mu        sync.Mutex
	strangers int
	sockets   sync.WaitGroup
}

// Seat is a learner's place at the page.
type Seat struct {
	// Name is what who instructs calls them.
	Name    string
	Learner Learner
}

// Place is where a page is.
type Place struct {
	// Port is the port to listen on, any if it is 0.
	Port int
	// Published is set in a container: the port of loopback on the machine outside that leads to Port here. What comes from there
	// arrives at the container's own address and not at loopback, so that the page listens on all addresses. It is still called by
	// loopback's names alone, with this port.
	Published int
}

// Listen takes the place's port, of loopback if it is not in a container. Its error says what to do.
func Listen(at Place, seats ...Seat) (*Server, error) {
	address := loopback
	if at.Published != 0 {
		address = everywhere
	}
	l, err := net.Listen("tcp4", net.JoinHostPort(address, strconv.Itoa(at.Port)))
	if err != nil {
		return nil, fmt.Errorf("%w: take another port, or 0 for any that is free", err)
	}
	port := at.Published
	if port == 0 {
		port = l.Addr().(*net.TCPAddr).Port
	}
	s := &Server{listener: l, name: net.JoinHostPort(loopback, strconv.Itoa(port)), pace: time.Second, patience: tokenLimit, instructor: newToken()}
	s.ctx, s.end = context.WithCancel(context.Background())
	for _, taken := range seats {
		s.seats = append(s.seats, &seat{Seat: taken, token: newToken()})
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", static())
	mux.HandleFunc("GET /live", s.socketOf(s.isLearner, s.live))
	mux.HandleFunc("GET /terminal", s.socketOf(s.isLearner, s.terminal))
	mux.HandleFunc("GET /class", s.socketOf(s.instructs, s.class))
	mux.HandleFunc("GET /watch", s.socketOf(s.instructs, s.watch))
	s.http = &http.Server{Handler: newGuard(strconv.Itoa(port), mux), ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	return s, nil
}

// Address is the page's address for a learner, by their place. It holds the learner's token, in the fragment, which browsers send nowhere.
func (s *Server) Address(learner int) string {
	return fmt.Sprintf("http://%s/#%s", s.name, s.seats[learner].token)
}

// InstructorAddress is that of the page for who instructs.
func (s *Server) InstructorAddress() string {
	return fmt.Sprintf("http://%s/instructor.html#%s", s.name, s.instructor)
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

// isLearner reports whether the token is a learner's.
func (s *Server) isLearner(token string) bool { return s.seatOf(token) != nil }

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
