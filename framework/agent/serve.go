package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Answer is what the probe server says to every caller.
type Answer struct {
	// Name is the server's own name: a probe checks who answered, since a local twin may have the same address.
	Name string `json:"name"`
	// Seen is the caller's address as the server saw it.
	Seen string `json:"seen"`
}

// Serve answers HTTP requests on address until ctx ends, and logs each caller's address.
func Serve(ctx context.Context, log io.Writer, address, name string) error {
	server := &http.Server{
		Addr:              address,
		ReadHeaderTimeout: 5 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen, _, err := net.SplitHostPort(r.RemoteAddr)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			fmt.Fprintf(log, "%s %s %s\n", time.Now().UTC().Format(time.RFC3339Nano), seen, r.URL.Path)
			// An error here means that the caller has gone.
			_ = json.NewEncoder(w).Encode(Answer{Name: name, Seen: seen})
		}),
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // ListenAndServe tells how it ended
	defer stop()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
