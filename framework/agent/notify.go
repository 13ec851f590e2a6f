package agent

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// notifyLimit is how long a service may take to say that it is ready.
const notifyLimit = 60 * time.Second

// notifySocket receives what a service says of itself (sd_notify(3)).
type notifySocket struct {
	path string
	conn *net.UnixConn
}

func listenNotify(service string) (*notifySocket, error) {
	path := "/run/machine/notify-" + service
	if err := os.RemoveAll(path); err != nil {
		return nil, err
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	return &notifySocket{path, conn}, nil
}

func (n *notifySocket) close() {
	n.conn.Close()
	// What is left of the socket is replaced at the next start.
	_ = os.Remove(n.path)
}

// wait returns nil once the service is ready, and an error once it has ended or taken too long.
func (n *notifySocket) wait(ended <-chan struct{}) error {
	if err := n.conn.SetReadDeadline(time.Now().Add(notifyLimit)); err != nil {
		return err
	}
	finished := make(chan struct{})
	defer close(finished)
	go func() {
		select {
		case <-ended:
			n.conn.Close() // ends the read below
		case <-finished:
		}
	}()
	message := make([]byte, 4096)
	for {
		size, err := n.conn.Read(message)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("it is not ready after %v", notifyLimit)
		}
		if err != nil {
			return errors.New("it ended before it was ready")
		}
		for line := range bytes.SplitSeq(message[:size], []byte("\n")) {
			if string(line) == "READY=1" {
				return nil
			}
		}
	}
}
