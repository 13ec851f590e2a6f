// Package session runs many commands in a machine of a lab through one server that stays there: netfault-agent, on the standard streams
// of whoever asks. `docker exec` and `podman exec` cost a tenth of a second and more of processor time each, which would be most of what a
// lab does; and what the agent itself is asked costs it less than its own start, so the server answers that without one.
package session

import "encoding/gob"

// kind says what a frame is.
type kind int

const (
	// From the client: a command, a piece of its standard input, the end of that, a signal for the command, and its end.
	start kind = iota
	stdin
	closeStdin
	signal
	kill
	// From the server: that it is there; pieces of output; how the command ended.
	ready
	stdout
	stderr
	exit
)

// frame is what both sides send, as gob, whose encoder keeps the frames of several goroutines apart.
type frame struct {
	Kind kind
	// ID is the command's, chosen by the client.
	ID uint64
	// Argv is the command; HasStdin says whether pieces of standard input will follow.
	Argv     []string
	HasStdin bool
	Data     []byte
	// Code is the exit code, or the signal's number; Error says why the command did not start.
	Code  int
	Error string
}

// stream is one of a command's output streams as a writer.
type stream struct {
	to   *gob.Encoder
	kind kind
	id   uint64
}

func (s stream) Write(b []byte) (int, error) {
	if err := s.to.Encode(frame{Kind: s.kind, ID: s.id, Data: b}); err != nil {
		return 0, err
	}
	return len(b), nil
}
