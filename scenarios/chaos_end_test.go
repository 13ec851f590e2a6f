package scenarios_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/netfault/netfault/framework/wait"
)

// end is how a command was ended.
type end struct {
	ways  []way
	after []time.Duration
	code  string
	said  string
}

// way is one way to end a command.
type way struct {
	name string
	// gentle is one that a command can answer by undoing.
	gentle bool
	end    func(*victim) error
}

var ways = []way{
	{"SIGINT to its group", true, group(syscall.SIGINT)},
	{"SIGINT", true, single(syscall.SIGINT)},
	{"SIGTERM to its group", true, group(syscall.SIGTERM)},
	{"SIGTERM", true, single(syscall.SIGTERM)},
	{"SIGHUP to its group", true, group(syscall.SIGHUP)},
	{"its output closed", true, func(v *victim) error {
		if err := v.out.Close(); !errors.Is(err, os.ErrClosed) { // it may be so already
			return err
		}
		return nil
	}},
	{"SIGQUIT", false, single(syscall.SIGQUIT)},
	{"SIGKILL", false, single(syscall.SIGKILL)},
	{"SIGKILL to its group", false, group(syscall.SIGKILL)},
}

func single(s syscall.Signal) func(*victim) error {
	return func(v *victim) error { return v.cmd.Process.Signal(s) }
}

func group(s syscall.Signal) func(*victim) error {
	return func(v *victim) error { return syscall.Kill(-v.cmd.Process.Pid, s) }
}

func (e end) String() string {
	var text []string
	for i, w := range e.ways {
		text = append(text, fmt.Sprintf("%s after %v", w.name, e.after[i].Round(time.Millisecond)))
	}
	return strings.Join(text, ", ")
}

// gently says that the command was asked to end only in ways that it can answer, and not more than twice: who asks a third
// time wants it to end at once.
func (e end) gently() bool {
	for _, w := range e.ways {
		if !w.gentle {
			return false
		}
	}
	return len(e.ways) <= 2
}

// victim is a command that runs.
type victim struct {
	args []string
	cmd  *exec.Cmd
	out  *os.File
	said *lockedBuffer
	over chan struct{}
	err  error
}

// endLimit is how long a command may take after it was ended: an undo waits for flannel.
const endLimit = 90 * time.Second

// play runs the move: its first commands to their end, then its victims, the first of which is ended. It returns once no process
// of theirs is left.
func (c *chaos) play(ctx context.Context, number string, m move) (end, error) {
	for _, args := range m.first {
		if err := c.run(ctx, args...); err != nil {
			return end{}, err
		}
	}
	if err := os.MkdirAll(c.temp(), 0o700); err != nil {
		return end{}, err
	}
	e := end{ways: []way{pick(c.random, ways)}}
	usual, ok := c.usual[kindOf(m.victims[0])]
	if !ok {
		usual = time.Second
	}
	e.after = []time.Duration{time.Duration(c.random.Float64() * 1.1 * float64(usual))}
	for c.random.IntN(3) == 0 {
		e.ways = append(e.ways, pick(c.random, ways))
		e.after = append(e.after, e.after[len(e.after)-1]+time.Duration(c.random.Float64()*float64(time.Second)))
	}
	begun := time.Now()
	var victims []*victim
	for _, args := range m.victims {
		v, err := start(ctx, c.temp(), args)
		if err != nil {
			return e, err
		}
		victims = append(victims, v)
	}
	first := victims[0]
	ended := 0
	for i, w := range e.ways {
		timer := time.NewTimer(time.Until(begun.Add(e.after[i])))
		select {
		case <-first.over:
		case <-timer.C:
			if err := w.end(first); err != nil && !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, syscall.ESRCH) {
				return e, fmt.Errorf("%s: %w", w.name, err)
			}
			ended++
		}
		timer.Stop()
	}
	e.ways, e.after = e.ways[:ended], e.after[:ended]
	var errs []error
	for _, v := range victims {
		errs = append(errs, v.wait(ctx, e.gently()))
	}
	if ended == 0 {
		c.usual[kindOf(first.args)] = time.Since(begun)
	}
	e.code, e.said = exitText(first.err), first.said.String()
	fmt.Printf("%9s  %s: %s, exit %s\n", number, describe(victims), e, e.code)
	if err := errors.Join(errs...); err != nil {
		return e, err
	}
	// A command that may clean up leaves no files of its own; a bundle that a person asked for stays until it is removed here.
	left, err := os.ReadDir(c.temp())
	if err != nil {
		return e, err
	}
	for _, f := range left {
		if f.Name() != "bundle" && e.gently() {
			return e, fmt.Errorf("%s left %s in its folder for temporary files", describe(victims), f.Name())
		}
	}
	return e, os.RemoveAll(c.temp())
}

func describe(victims []*victim) string {
	var text []string
	for _, v := range victims {
		text = append(text, kindOf(v.args))
	}
	return strings.Join(text, " beside ")
}

func exitText(err error) string {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "0"
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return fmt.Sprint(exit.ExitCode())
	}
	return err.Error()
}

// start starts the command in a process group of its own, with its output on a pipe.
func start(ctx context.Context, temp string, args []string) (*victim, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	v := &victim{args: args, cmd: program(ctx, args...), out: out, said: &lockedBuffer{}, over: make(chan struct{})}
	v.cmd.Stdout, v.cmd.Stderr = in, in
	v.cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	v.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = v.cmd.Start()
	if closeErr := in.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	go func() {
		// It ends when the pipe is closed from either side.
		_, _ = io.Copy(v.said, out)
	}()
	go func() {
		v.err = v.cmd.Wait()
		close(v.over)
	}()
	return v, nil
}

// wait waits for the end of the command and, if it could clean up, of what it had started.
func (v *victim) wait(ctx context.Context, gently bool) error {
	defer v.out.Close()
	timer := time.NewTimer(endLimit)
	defer timer.Stop()
	select {
	case <-v.over:
	case <-timer.C:
		return errors.Join(fmt.Errorf("netfault %s goes on %v after it was ended:\n%s", strings.Join(v.args, " "), endLimit, v.said), v.cmd.Process.Kill())
	}
	if !gently {
		return nil
	}
	return wait.Until(ctx, 10*time.Second, "the processes of netfault "+strings.Join(v.args, " "), func(context.Context) error {
		if err := syscall.Kill(-v.cmd.Process.Pid, 0); !errors.Is(err, syscall.ESRCH) {
			return errors.New("some are left")
		}
		return nil
	})
}

// lockedBuffer is a buffer that one goroutine fills while another reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
