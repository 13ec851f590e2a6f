// Package shell gives somebody a shell on a machine, on a terminal of its own, and records what that shows.
package shell

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// Enter runs a program on a machine, with the inner end of a terminal as its controlling terminal, and waits for it.
type Enter func(ctx context.Context, tty *os.File, env []string, argv ...string) error

// Options say what a shell is like.
type Options struct {
	// Machine is what the prompt begins with.
	Machine string
	// In is what is typed, and Out shows what the terminal does.
	In  io.Reader
	Out io.Writer
	// Recording receives the session as asciicast v2.
	Recording io.Writer
	// Size is the outer terminal's, and Resized tells of changes; without, the terminal is Columns wide and Rows high.
	Size    func() (columns, rows int, err error)
	Resized <-chan os.Signal
	// Term is the kind of the outer terminal, as TERM has it.
	Term string
	// Opened is called with the terminal's number, N of /dev/pts/N, before the shell starts; it may be nil.
	Opened func(number uint32)
}

// The size of a terminal that has no outer one.
const (
	Columns = 120
	Rows    = 32
)

// historyFile is on the machine's own /run, so that it ends with the machine, and is there for the next shell.
const historyFile = "/run/.bash_history"

// Argv is the shell itself.
var Argv = []string{"bash", "--norc", "--noprofile", "-i"}

// Prompt is what the shell of a machine says when it waits.
func Prompt(machineName string) string { return machineName + "# " }

// environment is all that the shell and its programs see.
func (o Options) environment() []string {
	return []string{
		"HOME=/root", "USER=root", "LOGNAME=root", "LANG=C.UTF-8", "TERM=" + o.Term, "PS1=" + Prompt(o.Machine),
		"HISTFILE=" + historyFile, "HISTSIZE=10000", "HISTCONTROL=", "PROMPT_COMMAND=history -a",
	}
}

// Run runs a shell until it ends. Its error is that of Enter.
func Run(ctx context.Context, enter Enter, o Options) error {
	outer, inner, err := openTerminal()
	if err != nil {
		return err
	}
	defer outer.Close()
	resize := func() {
		columns, rows := Columns, Rows
		if o.Size != nil {
			if c, r, err := o.Size(); err == nil {
				columns, rows = c, r
			}
		}
		// One that is not resized looks wrong, and works.
		_ = outer.setSize(columns, rows)
	}
	resize()
	cast, err := newRecording(o.Recording, outer, o.Term)
	if err != nil {
		return errors.Join(err, inner.Close())
	}
	if o.Opened != nil {
		number, err := outer.number()
		if err != nil {
			return errors.Join(err, inner.Close())
		}
		o.Opened(number)
	}
	ended := make(chan error, 1)
	go func() {
		err := enter(ctx, inner, o.environment(), Argv...)
		ended <- errors.Join(err, inner.Close())
	}()
	over := make(chan struct{})
	defer close(over)
	prompted := &first{seen: make(chan struct{})}
	go func() {
		// What is typed before the shell is ready is shown twice.
		select {
		case <-prompted.seen:
			typeIn(outer, o.In, over)
		case <-over:
		}
	}()
	shown := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.MultiWriter(prompted, o.Out, cast), outer)
		// Nobody has the inner end any more, or the shell has ended and all was read that it has left.
		if errors.Is(err, syscall.EIO) || errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
		shown <- err
	}()
	for {
		select {
		case <-o.Resized:
			resize()
			if err := cast.resized(outer); err != nil {
				return err
			}
		case err := <-ended:
			// What it has left in the background may hold the inner end for ever.
			return errors.Join(err, outer.SetReadDeadline(time.Now().Add(drainLimit)), <-shown)
		}
	}
}

// drainLimit is how long the end of what a shell has shown may take to be read.
const drainLimit = 250 * time.Millisecond

// first tells of the first thing that is written.
type first struct {
	once sync.Once
	seen chan struct{}
}

func (f *first) Write(p []byte) (int, error) {
	f.once.Do(func() { close(f.seen) })
	return len(p), nil
}

// typeIn types what comes in, and at its end Ctrl-D, again and again: one that comes while a program runs is that program's.
func typeIn(outer io.Writer, in io.Reader, over <-chan struct{}) {
	_, _ = io.Copy(outer, in) // what is typed after the shell's end goes nowhere
	again := time.NewTicker(drainLimit)
	defer again.Stop()
	for {
		_, _ = outer.Write([]byte{endOfFile})
		select {
		case <-over:
			return
		case <-again.C:
		}
	}
}

// endOfFile is what Ctrl-D types.
const endOfFile = 4
