package session

import (
	"io"
	"sync"
)

// queue holds a command's standard input until the command reads it, so that one that does not holds up no other.
type queue struct {
	mu     sync.Mutex
	more   *sync.Cond
	pieces [][]byte
	closed bool
}

func newQueue() *queue {
	q := &queue{}
	q.more = sync.NewCond(&q.mu)
	return q
}

func (q *queue) put(piece []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pieces = append(q.pieces, piece)
	q.more.Signal()
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.more.Signal()
}

// next returns nil at the end.
func (q *queue) next() []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.pieces) == 0 && !q.closed {
		q.more.Wait()
	}
	if len(q.pieces) == 0 {
		return nil
	}
	piece := q.pieces[0]
	q.pieces = q.pieces[1:]
	return piece
}

// copyTo ends with the queue, or when the command does not read any more.
func (q *queue) copyTo(w io.WriteCloser) {
	defer w.Close()
	for piece := q.next(); piece != nil; piece = q.next() {
		if _, err := w.Write(piece); err != nil {
			return
		}
	}
}
