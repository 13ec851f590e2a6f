// Package progress tells how far work is that runs side by side: in one line that changes on a terminal, and in a line every
// ten seconds elsewhere.
package progress

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/netfault/netfault/framework/internal/terminal"
)

// How often the line is written anew.
const (
	onTerminal = 200 * time.Millisecond
	elsewhere  = 10 * time.Second
)

// wiped goes to the beginning of a terminal's line and empties it (ECMA-48: CR, EL).
const wiped = "\r\x1b[K"

// Board is where tasks say how far they are. It is an io.Writer for all else that is to be told: that stands in lines of its own.
// Errors of the writer behind it are nobody's concern, since progress is told to whom it may reach.
type Board struct {
	out   io.Writer
	width func() int // of the terminal, in columns; nil elsewhere
	begin time.Time

	mu    sync.Mutex
	tasks []*Task
	held  int
	shown bool // the terminal's last line is the board's
}

// Task is one piece of work.
type Task struct {
	board       *Board
	name        string
	doing       string
	done, total int
}

// Start begins to tell on out. stop ends that.
func Start(out io.Writer) (b *Board, stop func()) {
	b = &Board{out: out, begin: time.Now()}
	every := elsewhere
	if f, ok := out.(interface{ Fd() uintptr }); ok && terminal.Controllable(f.Fd()) {
		every, b.width = onTerminal, func() int {
			width, _, err := term.GetSize(int(f.Fd()))
			if err != nil {
				return 80
			}
			return width
		}
	}
	ticker, ended, gone := time.NewTicker(every), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for {
			select {
			case <-ticker.C:
				b.tell()
			case <-ended:
				return
			}
		}
	}()
	return b, sync.OnceFunc(func() {
		ticker.Stop()
		close(ended)
		<-gone
		b.mu.Lock()
		defer b.mu.Unlock()
		b.wipe()
	})
}

// Write writes whole lines of something else. Pieces of lines are for Lines.
func (b *Board) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wipe()
	return b.out.Write(p)
}

// Lines is for a program that writes in pieces, such as apt-get its "Reading package lists..." and, a second later, the rest: its lines
// reach the board whole, and others' stand between them. Close passes on what has no end.
func (b *Board) Lines() io.WriteCloser { return &lines{board: b} }

type lines struct {
	board   *Board
	partial []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.partial = append(l.partial, p...)
	whole := bytes.LastIndexByte(l.partial, '\n') + 1
	if whole == 0 {
		return len(p), nil
	}
	_, err := l.board.Write(l.partial[:whole])
	l.partial = l.partial[whole:]
	return len(p), err
}

func (l *lines) Close() error {
	if len(l.partial) == 0 {
		return nil
	}
	_, err := l.board.Write(append(l.partial, '\n'))
	l.partial = nil
	return err
}

// Hold keeps the line off a terminal until release is called: for a program that writes or asks there by itself.
func (b *Board) Hold() (release func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wipe()
	b.held++
	return sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.held--
	})
}

// Task adds one.
func (b *Board) Task(name string) *Task {
	t := &Task{board: b, name: name}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tasks = append(b.tasks, t)
	return t
}

// Doing says what the task is at, such as "linking".
func (t *Task) Doing(what string) {
	t.board.mu.Lock()
	defer t.board.mu.Unlock()
	t.doing, t.total = what, 0
}

// Of says that the task is at the first of a number of things, such as 556 "packages".
func (t *Task) Of(total int, things string) {
	t.board.mu.Lock()
	defer t.board.mu.Unlock()
	t.doing, t.done, t.total = things, 0, total
}

// Step says that one more of them is done.
func (t *Task) Step() {
	t.board.mu.Lock()
	defer t.board.mu.Unlock()
	t.done++
}

// End takes the task off the board.
func (t *Task) End() {
	b := t.board
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.tasks {
		if b.tasks[i] == t {
			b.tasks = append(b.tasks[:i:i], b.tasks[i+1:]...)
			return
		}
	}
}

func (t *Task) String() string {
	if t.total > 0 {
		return fmt.Sprintf("%s: %d of %d %s", t.name, min(t.done, t.total), t.total, t.doing)
	}
	return t.name + ": " + t.doing
}

// tell writes the line, if there is anything to tell.
func (b *Board) tell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.tasks) == 0 || b.held > 0 {
		b.wipe()
		return
	}
	parts := make([]string, len(b.tasks))
	for i, t := range b.tasks {
		parts[i] = t.String()
	}
	line := fmt.Sprintf("%4s  %s", time.Since(b.begin).Truncate(time.Second), strings.Join(parts, "; "))
	if b.width == nil {
		fmt.Fprintln(b.out, line)
		return
	}
	// A line that wraps could not be taken back.
	if width := b.width(); len(line) >= width {
		line = line[:max(0, width-1)]
	}
	b.shown = true
	fmt.Fprint(b.out, wiped, line)
}

// wipe takes the line off the terminal.
func (b *Board) wipe() {
	if b.shown {
		b.shown = false
		fmt.Fprint(b.out, wiped)
	}
}
