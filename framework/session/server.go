package session

import (
	"encoding/gob"
	"errors"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/netfault/netfault/framework/machine"
)

// Serve runs the commands that frames on in ask for, until in ends; then it kills what still runs. Commands of this program itself
// that are among answers are answered by this process.
func Serve(in io.Reader, out io.Writer, answers map[string]Answer) error {
	s := &server{to: gob.NewEncoder(out), answers: answers, running: map[uint64]*command{}}
	if err := s.to.Encode(frame{Kind: ready}); err != nil {
		return err
	}
	defer s.killAll()
	dec := gob.NewDecoder(in)
	for {
		var f frame
		if err := dec.Decode(&f); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := s.handle(f); err != nil {
			return err
		}
	}
}

type server struct {
	to      *gob.Encoder
	answers map[string]Answer
	mu      sync.Mutex
	running map[uint64]*command
	// closed says that the client has gone, or does not want to know any more.
	closed bool
}

// command is one that runs: a process in a group of its own, or an answer of this process.
type command struct {
	in     *queue
	signal func(syscall.Signal)
	kill   func()
}

// handle never waits for a command.
func (s *server) handle(f frame) error {
	if f.Kind == start {
		if answer := s.answerTo(f.Argv); answer != nil {
			s.answer(f, answer)
			return nil
		}
		if err := s.start(f); err != nil {
			return s.to.Encode(frame{Kind: exit, ID: f.ID, Error: err.Error()})
		}
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.running[f.ID]
	switch {
	case !ok: // it has ended meanwhile
	case f.Kind == stdin:
		c.in.put(f.Data)
	case f.Kind == closeStdin:
		c.in.close()
	case f.Kind == signal:
		c.signal(syscall.Signal(f.Code))
	case f.Kind == kill:
		c.kill()
	}
	return nil
}

// pipeLimit is how long a command's output is waited for after its end, if something that it left behind holds it open.
const pipeLimit = 5 * time.Second

func (s *server) start(f frame) error {
	cmd := exec.Command(f.Argv[0], f.Argv[1:]...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = pipeLimit
	cmd.Stdout, cmd.Stderr = stream{s.to, stdout, f.ID}, stream{s.to, stderr, f.ID}
	c := &command{in: newQueue()}
	var pipe io.WriteCloser
	if f.HasStdin {
		var err error
		if pipe, err = cmd.StdinPipe(); err != nil {
			return err
		}
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	// ESRCH means that it has ended by itself.
	c.signal = func(number syscall.Signal) { _ = syscall.Kill(cmd.Process.Pid, number) }
	// With all that it has started, unless they have left its process group.
	c.kill = func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	s.begin(f.ID, c)
	if pipe != nil {
		go c.in.copyTo(pipe)
	}
	go func() {
		// What it says beside the exit code is that something left behind held the output open (pipeLimit).
		_ = cmd.Wait()
		s.end(f.ID, c, machine.ExitCode(cmd.ProcessState))
	}()
	return nil
}

func (s *server) begin(id uint64, c *command) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[id] = c
}

func (s *server) end(id uint64, c *command, code int) {
	s.mu.Lock()
	delete(s.running, id)
	closed := s.closed
	s.mu.Unlock()
	c.in.close()
	if closed {
		return // the end of the session is what is told of the command
	}
	// An error here means that the client has gone; there is nobody to tell.
	_ = s.to.Encode(frame{Kind: exit, ID: id, Code: code})
}

func (s *server) killAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, c := range s.running {
		c.kill()
	}
}
