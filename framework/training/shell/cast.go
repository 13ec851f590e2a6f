package shell

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf8"
)

// recording writes a session as asciicast v2 (docs.asciinema.org/manual/asciicast/v2): a header, and then an event on each line. What
// is typed is not in it, since passwords are typed, too.
type recording struct {
	mu    sync.Mutex
	to    io.Writer
	begun time.Time
	// rest is the beginning of a character whose end has not come yet.
	rest []byte
}

func newRecording(to io.Writer, of terminal, term string) (*recording, error) {
	columns, rows, err := of.size()
	if err != nil {
		return nil, err
	}
	r := &recording{to: to, begun: time.Now()}
	return r, r.line(map[string]any{
		"version": 2, "width": columns, "height": rows, "timestamp": r.begun.Unix(), "env": map[string]string{"TERM": term, "SHELL": "/bin/bash"},
	})
}

func (r *recording) line(value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = r.to.Write(append(data, '\n'))
	return err
}

func (r *recording) event(kind, data string) error {
	return r.line([]any{time.Since(r.begun).Seconds(), kind, data})
}

// Write records what the terminal shows.
func (r *recording) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := append(r.rest, p...)
	whole := len(text) - unfinished(text)
	r.rest = append([]byte(nil), text[whole:]...)
	if whole == 0 {
		return len(p), nil
	}
	return len(p), r.event("o", string(text[:whole]))
}

// unfinished is how many bytes at the end of a text begin a character and do not end it.
func unfinished(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		last := text[len(text)-n:]
		if utf8.RuneStart(last[0]) {
			if utf8.FullRune(last) {
				return 0
			}
			return n
		}
	}
	return 0
}

// resized records the terminal's new size.
func (r *recording) resized(of terminal) error {
	columns, rows, err := of.size()
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.event("r", fmt.Sprintf("%dx%d", columns, rows))
}
