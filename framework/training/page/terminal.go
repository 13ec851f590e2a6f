package page

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/coder/websocket"
)

// maxChunk is how much of what a shell prints goes into one message, in bytes.
const maxChunk = 16 << 10

// terminal joins a socket and a shell: bytes are what is typed and printed, text is the terminal's new size. When the socket ends, so do
// the shell and all that it has started; when the shell ends, so does the socket.
func (s *Server) terminal(ctx context.Context, c *websocket.Conn, first hello) error {
	seat := s.seatOf(first.Token)
	seen, err := seat.takeTerminal(first.Machine, first.Size)
	if err != nil {
		refuse(c, err)
		return nil
	}
	defer seat.leaveTerminal(seen)
	t, err := seat.Learner.Shell(ctx, first.Machine, first.Size)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer t.Close()
	defer cancel()
	group.Go(func() {
		defer cancel()
		defer c.Close(websocket.StatusNormalClosure, "")
		buf := make([]byte, maxChunk)
		for {
			n, err := t.Read(buf)
			if n > 0 {
				seen.show(buf[:n])
				// Until the browser has taken it, nothing more is read: the shell waits, and nothing piles up here.
				if send(ctx, c, websocket.MessageBinary, buf[:n]) != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	for {
		kind, data, err := c.Read(ctx)
		if err != nil {
			return nil // the browser has gone, or the shell has ended
		}
		if kind == websocket.MessageBinary {
			if _, err := t.Write(data); err != nil {
				return nil
			}
			continue
		}
		var size Size
		if err := json.Unmarshal(data, &size); err != nil {
			return err
		}
		seen.resize(size)
		if err := t.Resize(size); err != nil {
			return err
		}
	}
}
