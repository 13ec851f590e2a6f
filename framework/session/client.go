package session

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"

	"github.com/netfault/netfault/framework/machine"
)

// Command is a command to run where the server is.
type Command struct {
	Argv   []string
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// Signals are passed on to the command.
	Signals <-chan os.Signal
}

// Session is a connection to a server. Several commands may run at once. A Stdout or Stderr that does not
// take what is written to it holds up all of them.
type Session struct {
	to     *gob.Encoder
	pipe   io.Closer
	mu     sync.Mutex
	nextID uint64
	calls  map[uint64]*call
	// ended is closed when the connection is gone; reason says why.
	ended  chan struct{}
	reason error
}

type call struct {
	command Command
	// failed is the first error of one of the command's writers.
	failed error
	done   chan frame
}

// Open starts the server by a command such as `podman exec -i CONTAINER netfault-agent session`, and returns once it
// answers. The command ends with the session.
func Open(ctx context.Context, argv ...string) (*Session, error) {
	return OpenBy(ctx, func(prepare func(*exec.Cmd)) (*exec.Cmd, error) {
		cmd := exec.Command(argv[0], argv[1:]...)
		prepare(cmd)
		return cmd, cmd.Start()
	})
}

// OpenBy is Open with a server that start makes and starts. Before the start it has prepare set the command's streams, and its context
// is not ctx's child: the server ends with the session.
func OpenBy(ctx context.Context, start func(prepare func(*exec.Cmd)) (*exec.Cmd, error)) (*Session, error) {
	var in io.WriteCloser
	var out io.ReadCloser
	var said bytes.Buffer
	var inErr, outErr error
	cmd, err := start(func(cmd *exec.Cmd) {
		machine.OwnGroup(cmd)
		in, inErr = cmd.StdinPipe()
		out, outErr = cmd.StdoutPipe()
		cmd.Stderr = &said
	})
	if err := errors.Join(inErr, outErr, err); err != nil {
		return nil, err
	}
	s := &Session{to: gob.NewEncoder(in), pipe: in, calls: map[uint64]*call{}, ended: make(chan struct{})}
	answers := make(chan struct{})
	go func() {
		err := s.read(out, answers)
		// The end of its standard input is what the server ends by.
		err = errors.Join(err, in.Close(), cmd.Wait())
		s.reason = fmt.Errorf("%s ended: %w %s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(said.Bytes()))
		close(s.ended)
	}()
	select {
	case <-answers:
		return s, nil
	case <-s.ended:
		return nil, s.reason
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), in.Close(), cmd.Process.Kill())
	}
}

// Close ends the session and every command of it.
func (s *Session) Close() error {
	err := s.pipe.Close()
	<-s.ended
	return err
}

// Done is closed when the connection is gone.
func (s *Session) Done() <-chan struct{} { return s.ended }

// Ended reports whether the connection is gone.
func (s *Session) Ended() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

func (s *Session) read(out io.Reader, answers chan struct{}) error {
	dec := gob.NewDecoder(out)
	for {
		var f frame
		if err := dec.Decode(&f); err != nil {
			return err
		}
		if f.Kind == ready {
			close(answers)
			continue
		}
		s.mu.Lock()
		c := s.calls[f.ID]
		if f.Kind == exit {
			delete(s.calls, f.ID)
		}
		s.mu.Unlock()
		if c == nil {
			continue
		}
		switch f.Kind {
		case stdout:
			c.write(c.command.Stdout, f.Data)
		case stderr:
			c.write(c.command.Stderr, f.Data)
		case exit:
			c.done <- f
		}
	}
}

func (c *call) write(w io.Writer, data []byte) {
	if w == nil || c.failed != nil {
		return
	}
	_, c.failed = w.Write(data)
}

// ErrNotStarted is wrapped by the error of a command that could not be started.
var ErrNotStarted = errors.New("could not be started")

// Run runs the command and returns its exit code (machine.ExitCode) once it has ended. When ctx ends first, the command is killed with all
// that it has started.
func (s *Session) Run(ctx context.Context, c Command) (code int, err error) {
	ended := &call{command: c, done: make(chan frame, 1)}
	s.mu.Lock()
	s.nextID++
	id := s.nextID
	s.calls[id] = ended
	s.mu.Unlock()
	if err := s.to.Encode(frame{Kind: start, ID: id, Argv: c.Argv, HasStdin: c.Stdin != nil}); err != nil {
		return 0, s.gone(err)
	}
	if c.Stdin != nil {
		go s.feed(id, c.Stdin)
	}
	over := make(chan struct{})
	defer close(over)
	if c.Signals != nil {
		go machine.PassSignals(c.Signals, over, func(sig os.Signal) {
			if number, ok := sig.(syscall.Signal); ok {
				// An error means that the session has ended, which Run tells.
				_ = s.to.Encode(frame{Kind: signal, ID: id, Code: int(number)})
			}
		})
	}
	select {
	case f := <-ended.done:
		return ended.result(f)
	case <-s.ended:
		return 0, s.reason
	case <-ctx.Done():
	}
	if err := s.to.Encode(frame{Kind: kill, ID: id}); err != nil {
		return 0, errors.Join(ctx.Err(), s.gone(err))
	}
	// The writers are the caller's again once the command is gone.
	select {
	case <-ended.done:
	case <-s.ended:
	}
	return 0, ctx.Err()
}

func (c *call) result(f frame) (int, error) {
	if f.Error != "" {
		return 0, fmt.Errorf("%w: %s", ErrNotStarted, f.Error)
	}
	return f.Code, c.failed
}

// gone prefers why the connection ended to how that was noticed.
func (s *Session) gone(err error) error {
	if s.Ended() {
		return s.reason
	}
	return err
}

// feed ends with the input, or when the session does: what is left of the input then is nobody's.
func (s *Session) feed(id uint64, in io.Reader) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := in.Read(buffer)
		if n > 0 && s.to.Encode(frame{Kind: stdin, ID: id, Data: buffer[:n]}) != nil {
			return
		}
		if err != nil {
			// An error of the reader's is, to the command, the end of its input.
			_ = s.to.Encode(frame{Kind: closeStdin, ID: id})
			return
		}
	}
}
