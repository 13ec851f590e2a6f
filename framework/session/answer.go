package session

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// Answer does what the program does when it is called with these arguments, behind the command's name. Several may run at once, in a
// process that goes on: one leaves nothing behind, no descriptor and no thread, and ends with its context.
type Answer func(ctx context.Context, args []string, in io.Reader, out io.Writer) error

// answerTo returns the answer to a command of this program itself, called by the name by which this process was; nil for any other command.
func (s *server) answerTo(argv []string) Answer {
	if len(argv) < 2 || argv[0] != os.Args[0] {
		return nil
	}
	return s.answers[argv[1]]
}

// outputBuffer is how much of an answer is sent at once.
const outputBuffer = 64 << 10

// answer answers the command as a process of its own would.
func (s *server) answer(f frame, answer Answer) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &command{in: newQueue(), signal: func(syscall.Signal) { cancel() }, kill: cancel}
	s.begin(f.ID, c)
	if !f.HasStdin {
		c.in.close()
	}
	in, fed := io.Pipe()
	go c.in.copyTo(fed)
	go func() {
		defer cancel()
		out := bufio.NewWriterSize(stream{s.to, stdout, f.ID}, outputBuffer)
		err := answer(ctx, f.Argv[2:], in, out)
		code := 0
		if err := errors.Join(err, out.Flush()); err != nil {
			code = 1
			fmt.Fprintf(stream{s.to, stderr, f.ID}, "%s: %v\n", filepath.Base(f.Argv[0]), err)
		}
		in.Close() // what is left of the input is nobody's
		s.end(f.ID, c, code)
	}()
}
