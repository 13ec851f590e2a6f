// Package pagetest visits a training page in tests, as its scripts do.
package pagetest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/coder/websocket"
)

// readLimit is how long a message of the page may be, in bytes.
const readLimit = 1 << 20

// Socket is one of a page's. It may end at any moment.
type Socket struct {
	*websocket.Conn
	asked int
}

// Dial opens the socket at path, such as "live", of the page at address, which has a token in its fragment. The token is sent with what
// else stands in first.
func Dial(ctx context.Context, address, path string, first map[string]any) (*Socket, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	origin := "http://" + u.Host
	c, _, err := websocket.Dial(ctx, origin+"/"+path, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {origin}}})
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(readLimit)
	message := map[string]any{"token": u.Fragment}
	for key, value := range first {
		message[key] = value
	}
	s := &Socket{Conn: c}
	return s, s.Send(ctx, message)
}

// Send sends a message as JSON.
func (s *Socket) Send(ctx context.Context, message any) error {
	data, err := json.Marshal(message)
	if err != nil {
		return err
	}
	return s.Write(ctx, websocket.MessageText, data)
}

// Type types text into a terminal.
func (s *Socket) Type(ctx context.Context, text string) error {
	return s.Write(ctx, websocket.MessageBinary, []byte(text))
}

// Hear reads until words have come, which may come in pieces.
func (s *Socket) Hear(ctx context.Context, words string) error {
	var heard strings.Builder
	for !strings.Contains(heard.String(), words) {
		_, data, err := s.Read(ctx)
		if err != nil {
			return fmt.Errorf("waiting for %q, after %q: %w", words, heard.String(), err)
		}
		heard.Write(data)
	}
	return nil
}

// Ask asks for something in English and returns the answer, as JSON: what is asked for under "ok", or an "error".
func (s *Socket) Ask(ctx context.Context, what string) ([]byte, error) {
	s.asked++
	if err := s.Send(ctx, map[string]any{"id": s.asked, "do": what, "language": "en"}); err != nil {
		return nil, err
	}
	for {
		_, data, err := s.Read(ctx)
		if err != nil {
			return nil, fmt.Errorf("waiting for the answer to %q: %w", what, err)
		}
		var a struct{ ID int }
		if err := json.Unmarshal(data, &a); err != nil {
			return nil, err
		}
		if a.ID == s.asked {
			return data, nil
		}
	}
}

// Get asks for a page whose host is called otherwise than the address has it, and returns the answer with what it says.
func Get(ctx context.Context, address, host string) (*http.Response, string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, "", err
	}
	r.Host = host
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	return response, string(said), err
}
