package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Answer is what the probe server says to every caller.
type Answer struct {
	// Name is the server's own name: a probe checks who answered, since a local twin may have the same address.
	Name string `json:"name"`
	// Seen is the caller's address as the server saw it.
	Seen string `json:"seen"`
}

// Server answers every caller with an Answer, and logs the caller's address.
type Server struct {
	Name string
	// Listen is the address of the HTTP server, which leaves it to its clients to close connections.
	Listen string
	// ListenClosing is the address of a second server, which reads nothing, writes the Answer as a line and closes the
	// connection before its client does.
	ListenClosing string
	Log           io.Writer

	mu sync.Mutex
}

// Serve answers until ctx ends.
func (s *Server) Serve(ctx context.Context) error {
	closing, err := net.Listen("tcp", s.ListenClosing)
	if err != nil {
		return err
	}
	server := &http.Server{Addr: s.Listen, ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(s.handle)}
	stop := context.AfterFunc(ctx, func() {
		_ = server.Close() // ListenAndServe tells how it ended
		closing.Close()
	})
	defer stop()
	go s.serveClosing(closing)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	answer, err := s.answer(r.RemoteAddr)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	// An error here means that the caller has gone.
	if r.URL.Path == largePath {
		_ = answerLarge(w, answer)
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (s *Server) serveClosing(l net.Listener) {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // the caller has gone before it was accepted
		}
		if answer, err := s.answer(conn.RemoteAddr().String()); err == nil {
			_ = json.NewEncoder(conn).Encode(answer)
		}
		conn.Close()
	}
}

func (s *Server) answer(caller string) (Answer, error) {
	seen, _, err := net.SplitHostPort(caller)
	if err != nil {
		return Answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.Log, "%s %s\n", time.Now().UTC().Format(time.RFC3339Nano), seen)
	return Answer{Name: s.Name, Seen: seen}, nil
}
