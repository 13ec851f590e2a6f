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

// Serve runs the commands that frames on in ask for, until in ends; then it kills what still runs.
func Serve(in io.Reader, out io.Writer) error {
	s := &server{to: gob.NewEncoder(out), running: map[uint64]*process{}}
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
	mu      sync.Mutex
	running map[uint64]*process
}

// process is a command that runs, in a process group of its own.
type process struct {
	pid int
	in  *queue
}

// handle never waits for a command.
func (s *server) handle(f frame) error {
	if f.Kind == start {
		if err := s.start(f); err != nil {
			return s.to.Encode(frame{Kind: exit, ID: f.ID, Error: err.Error()})
		}
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.running[f.ID]
	switch {
	case !ok: // it has ended meanwhile
	case f.Kind == stdin:
		p.in.put(f.Data)
	case f.Kind == closeStdin:
		p.in.close()
	case f.Kind == signal:
		_ = syscall.Kill(p.pid, syscall.Signal(f.Code)) // ESRCH: it has ended by itself
	case f.Kind == kill:
		p.kill()
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
	p := &process{in: newQueue()}
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
	p.pid = cmd.Process.Pid
	s.mu.Lock()
	s.running[f.ID] = p
	s.mu.Unlock()
	if pipe != nil {
		go p.in.copyTo(pipe)
	}
	go func() {
		// What it says beside the exit code is that something left behind held the output open (pipeLimit).
		_ = cmd.Wait()
		s.mu.Lock()
		delete(s.running, f.ID)
		s.mu.Unlock()
		p.in.close()
		// An error here means that the client has gone; there is nobody to tell.
		_ = s.to.Encode(frame{Kind: exit, ID: f.ID, Code: machine.ExitCode(cmd.ProcessState)})
	}()
	return nil
}

// kill ends the command with all that it has started, unless they have left its process group.
func (p *process) kill() { _ = syscall.Kill(-p.pid, syscall.SIGKILL) } // ESRCH: it has ended by itself

func (s *server) killAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.running {
		p.kill()
	}
}

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
