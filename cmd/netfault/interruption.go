package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/lab"
)

// interruption is what signals do to a command. The first ends what the command does, which then clears up behind itself; the
// second says that this goes on; the third ends netfault at once, and says what to do about what is left.
type interruption struct {
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	count int
	// by is the first signal.
	by syscall.Signal
	// lab is the lab that the command is about, if it is about one.
	lab string
	// passed receives the signals in the command's place, if it passes them on.
	passed chan os.Signal
	// folders are removed even when netfault ends at once.
	folders []string
}

// signalError is the cause of a context that a signal ended.
type signalError syscall.Signal

func (e signalError) Error() string { return "ended by " + unix.SignalName(syscall.Signal(e)) }

type interruptionKey struct{}

// withInterruption returns a context that ends with the first signal. SIGHUP stays ignored where netfault was started so, as
// nohup does it; SIGINT and SIGQUIT do not, which shells ignore for every command in the background of a script. SIGABRT is left to
// Go, which prints what every goroutine does, for those who look for why netfault hangs.
func withInterruption(parent context.Context) (context.Context, *interruption) {
	ctx, cancel := context.WithCancelCause(parent)
	i := &interruption{cancel: cancel}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGPIPE)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		for s := range signals {
			i.handle(s.(syscall.Signal))
		}
	}()
	return context.WithValue(ctx, interruptionKey{}, i), i
}

// interruptionOf returns what signals do to the command of this context.
func interruptionOf(ctx context.Context) *interruption {
	if i, ok := ctx.Value(interruptionKey{}).(*interruption); ok {
		return i
	}
	return &interruption{} // a command that only completes has no signals of its own
}

func (i *interruption) handle(s syscall.Signal) {
	// Any pipe or connection whose other end has gone raises SIGPIPE; those that matter are read by people and programs. Each
	// line that is written there raises it again.
	if s == syscall.SIGPIPE && !outputIsGone() {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.passed != nil {
		// Ctrl-C and Ctrl-\ reach the command from the terminal.
		if s != syscall.SIGINT && s != syscall.SIGQUIT {
			i.passed <- s
		}
		return
	}
	if s == syscall.SIGPIPE && i.count > 0 {
		return
	}
	i.count++
	switch i.count {
	case 1:
		i.by = s
		i.cancel(signalError(s))
	case 2:
		fmt.Fprintln(os.Stderr, "netfault: still undoing what was begun, so that nothing is left half done; a third signal ends that at once")
	default:
		for _, dir := range i.folders {
			_ = os.RemoveAll(dir) // there is no time for a second try
		}
		fmt.Fprintln(os.Stderr, "netfault: ended at once; "+i.hint())
		os.Exit(128 + int(s))
	}
}

func (i *interruption) hint() string {
	return fmt.Sprintf("`%s` undoes what is left", lab.Command(i.lab, "reset"))
}

// outputIsGone says that nobody can read standard output or standard error any more.
func outputIsGone() bool {
	fds := []unix.PollFd{{Fd: int32(os.Stdout.Fd())}, {Fd: int32(os.Stderr.Fd())}}
	if _, err := unix.Poll(fds, 0); err != nil {
		return false
	}
	const gone = unix.POLLERR | unix.POLLHUP
	return fds[0].Revents&gone != 0 || fds[1].Revents&gone != 0
}

// about says which lab the command is about.
func (i *interruption) about(lab string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.lab = lab
}

// pass returns the signals for a command that netfault only runs: from now on they are for it.
func (i *interruption) pass() <-chan os.Signal {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.passed = make(chan os.Signal, 16)
	return i.passed
}

// tempDir makes a folder that is gone when netfault is, and returns what removes it.
func (i *interruption) tempDir() (dir string, remove func(), err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if dir, err = os.MkdirTemp("", "netfault-"); err != nil {
		return "", nil, err
	}
	i.folders = append(i.folders, dir)
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}

// exitCode returns 128 and the number of the signal that ended the command. A command that came to its end in spite of the
// signal keeps its own, unless nobody reads what it said.
func (i *interruption) exitCode(err error) (code int, ended bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.count == 0 || err == nil && i.by != syscall.SIGPIPE {
		return 0, false
	}
	return 128 + int(i.by), true
}
