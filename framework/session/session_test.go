package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// serverVariable makes this test the server.
const serverVariable = "NETFAULT_TEST_SESSION"

func TestMain(m *testing.M) {
	if os.Getenv(serverVariable) != "" {
		if err := Serve(os.Stdin, os.Stdout, answers); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

var answers = map[string]Answer{
	"say": func(_ context.Context, args []string, in io.Reader, out io.Writer) error {
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
		_, err := fmt.Fprint(out, args)
		return err
	},
	"fail": func(context.Context, []string, io.Reader, io.Writer) error { return errors.New("no") },
	"wait": func(ctx context.Context, _ []string, _ io.Reader, out io.Writer) error {
		<-ctx.Done()
		return ctx.Err()
	},
	"pid": func(_ context.Context, _ []string, _ io.Reader, out io.Writer) error {
		_, err := fmt.Fprint(out, os.Getpid())
		return err
	},
}

func open(t *testing.T) *Session {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(serverVariable, "1")
	s, err := Open(t.Context(), self)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // closed twice in tests that close it themselves
	return s
}

func TestRun(t *testing.T) {
	s := open(t)
	var out, said bytes.Buffer
	code, err := s.Run(t.Context(), Command{Argv: []string{"sh", "-c", "cat; echo no >&2; exit 3"}, Stdin: strings.NewReader("in"), Stdout: &out, Stderr: &said})
	if code != 3 || err != nil || out.String() != "in" || said.String() != "no\n" {
		t.Errorf("%d, %v, %q, %q", code, err, &out, &said)
	}
	if _, err := s.Run(t.Context(), Command{Argv: []string{"no-such-program"}}); !errors.Is(err, ErrNotStarted) {
		t.Errorf("a program that is not there: %v", err)
	}
	if code, err := s.Run(t.Context(), Command{Argv: []string{"sh", "-c", "kill -9 $$"}}); code != 128+9 || err != nil {
		t.Errorf("a command that was killed: %d, %v", code, err)
	}
	// cat ends at once only if its standard input is /dev/null.
	if code, err := s.Run(t.Context(), Command{Argv: []string{"cat"}}); code != 0 || err != nil {
		t.Errorf("a command without input: %d, %v", code, err)
	}
}

// What the program itself is asked is answered by the process that is there, as one of its own would.
func TestAnswers(t *testing.T) {
	s := open(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var pids, out, said bytes.Buffer
	for range 2 {
		if code, err := s.Run(t.Context(), Command{Argv: []string{self, "pid"}, Stdout: &pids}); code != 0 || err != nil {
			t.Fatalf("%d, %v", code, err)
		}
	}
	if half := pids.Len() / 2; pids.String()[:half] != pids.String()[half:] {
		t.Errorf("two processes answer: %q", &pids)
	}
	code, err := s.Run(t.Context(), Command{Argv: []string{self, "say", "a", "b"}, Stdin: strings.NewReader("in "), Stdout: &out})
	if code != 0 || err != nil || out.String() != "in [a b]" {
		t.Errorf("%d, %v, %q", code, err, &out)
	}
	code, err = s.Run(t.Context(), Command{Argv: []string{self, "fail"}, Stderr: &said})
	if code != 1 || err != nil || said.String() != filepath.Base(self)+": no\n" {
		t.Errorf("%d, %v, %q", code, err, &said)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Run(ctx, Command{Argv: []string{self, "wait"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("an answer that is not wanted any more: %v", err)
	}
	// Of other programs nothing is answered here, nor of this one under another name.
	if code, err := s.Run(t.Context(), Command{Argv: []string{"echo", "fail"}, Stdout: &out}); code != 0 || err != nil {
		t.Errorf("%d, %v", code, err)
	}
}

func TestSignalsArePassedOn(t *testing.T) {
	s := open(t)
	signals := make(chan os.Signal)
	ready, out := io.Pipe()
	go func() {
		_, _ = ready.Read(make([]byte, 8)) // what it says is that the trap is set
		signals <- syscall.SIGHUP
		_, _ = io.Copy(io.Discard, ready)
	}()
	trap := []string{"sh", "-c", "trap 'exit 7' HUP; echo ready; while :; do sleep 0.01; done"}
	if code, err := s.Run(t.Context(), Command{Argv: trap, Stdout: out, Signals: signals}); code != 7 || err != nil {
		t.Errorf("%d, %v; want 7, of the trap for SIGHUP", code, err)
	}
}

func TestLargeStreamsSideBySide(t *testing.T) {
	s := open(t)
	in := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			var out bytes.Buffer
			code, err := s.Run(t.Context(), Command{Argv: []string{"cat"}, Stdin: bytes.NewReader(in), Stdout: &out})
			if code != 0 || err != nil || !bytes.Equal(out.Bytes(), in) {
				t.Errorf("%d: %d, %v, %d bytes", i, code, err, out.Len())
			}
		})
	}
	wg.Wait()
}

// A command that does not read its input holds up no other.
func TestInputThatNobodyReads(t *testing.T) {
	s := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := s.Run(ctx, Command{Argv: []string{"sleep", "1000"}, Stdin: bytes.NewReader(make([]byte, 1<<20))})
		done <- err
	}()
	for range 20 {
		if code, err := s.Run(t.Context(), Command{Argv: []string{"true"}}); code != 0 || err != nil {
			t.Fatalf("%d, %v", code, err)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("a command that was cut off: %v", err)
	}
}

// running reports whether a process with this argument runs.
func running(argument string) bool {
	return exec.Command("pgrep", "-f", "sleep "+argument).Run() == nil
}

func waitGone(t *testing.T, argument string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for running(argument) {
		select {
		case <-deadline:
			t.Fatalf("sleep %s still runs", argument)
		case <-tick.C:
		}
	}
}

func TestCutOffCommandEndsWithItsChildren(t *testing.T) {
	s := open(t)
	argument := fmt.Sprintf("98%d1", os.Getpid())
	ctx, cancel := context.WithCancel(t.Context())
	var started startedWriter
	started.c = make(chan struct{})
	done := make(chan error, 1)
	go func() {
		_, err := s.Run(ctx, Command{Argv: []string{"sh", "-c", "sleep " + argument + " & echo; wait"}, Stdout: &started})
		done <- err
	}()
	<-started.c
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("a command that was cut off: %v", err)
	}
	waitGone(t, argument)
}

func TestCloseEndsEverything(t *testing.T) {
	s := open(t)
	argument := fmt.Sprintf("98%d2", os.Getpid())
	started := startedWriter{c: make(chan struct{})}
	done := make(chan error, 1)
	go func() {
		_, err := s.Run(t.Context(), Command{Argv: []string{"sh", "-c", "echo; sleep " + argument}, Stdout: &started})
		done <- err
	}()
	<-started.c
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err == nil {
		t.Error("a command outlived its session")
	}
	waitGone(t, argument)
	if !s.Ended() {
		t.Error("a closed session says it has not ended")
	}
	if _, err := s.Run(t.Context(), Command{Argv: []string{"true"}}); err == nil {
		t.Error("a closed session runs commands")
	}
}

type startedWriter struct {
	once sync.Once
	c    chan struct{}
}

func (w *startedWriter) Write(b []byte) (int, error) {
	w.once.Do(func() { close(w.c) })
	return len(b), nil
}

func TestOpenTellsWhyNot(t *testing.T) {
	if _, err := Open(t.Context(), "sh", "-c", "echo no such container >&2; exit 125"); err == nil || !strings.Contains(err.Error(), "no such container") {
		t.Errorf("%v", err)
	}
}
