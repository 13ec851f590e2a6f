package main

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"

	"github.com/spf13/cobra"
)

// pipeClosed is the exit code of a program that SIGPIPE ends, as a shell shows it.
const pipeClosed = 128 + int(syscall.SIGPIPE)

// output is where a command prints, and remembers whether that failed.
type output struct {
	w io.Writer

	mu  sync.Mutex
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// Fd is what tells a terminal from a file.
func (o *output) Fd() uintptr {
	if f, ok := o.w.(interface{ Fd() uintptr }); ok {
		return f.Fd()
	}
	return ^uintptr(0)
}

// result is what a command comes to that returned err: what was not printed was not told, whatever it was.
func (o *output) result(err error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, told := errors.AsType[exitCode](err)
	switch {
	case o.err == nil:
		return err
	case errors.Is(o.err, syscall.EPIPE):
		return exitCode(pipeClosed) // whoever reads has seen enough
	case err == nil, told, errors.Is(err, o.err):
		return fmt.Errorf("the output could not be written: %w", o.err)
	}
	return errors.Join(err, fmt.Errorf("the output could not be written: %w", o.err))
}

// watchOutput makes it an error of cmd and its subcommands if their output cannot be written.
func watchOutput(cmd *cobra.Command) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(c *cobra.Command, args []string) error {
			out := &output{w: c.OutOrStdout()}
			c.SetOut(out)
			return out.result(run(c, args))
		}
	}
	for _, sub := range cmd.Commands() {
		watchOutput(sub)
	}
}
