// Package machine says what a machine is to netfault: a name, and a place to run commands. Nodes, pods and the host
// outside the cluster are all machines, whichever lab they belong to.
package machine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
)

// Machine is something to run a command on.
type Machine interface {
	// Name is unique in its lab, such as "n1" or "pod-n1".
	Name() string
	// Run runs the command there and waits for it. A command that ran and failed is an *ExitError.
	Run(ctx context.Context, c Command) error
}

// Command is a program with its arguments; never a shell string.
type Command struct {
	Argv   []string
	Stdin  io.Reader
	Stdout io.Writer
	// Stderr, when nil, is kept and put into the ExitError.
	Stderr io.Writer
	// Signals are passed on to the command. One that has them shares the caller's terminal, and gets Ctrl-C from it; every
	// other is kept from that (OwnGroup).
	Signals <-chan os.Signal
}

// ExitError is a command that ran and failed.
type ExitError struct {
	Machine string
	Argv    []string
	// Code is what the command exited with, or 128 and the number of the signal that ended it.
	Code int
	// Stderr is the end of what the command wrote there, if nobody else received it.
	Stderr string
}

func (e *ExitError) Error() string {
	msg := fmt.Sprintf("%s: %s: exit status %d", e.Machine, strings.Join(e.Argv, " "), e.Code)
	if e.Stderr != "" {
		msg += ": " + e.Stderr
	}
	return msg
}

// Output runs argv on m and returns its standard output.
func Output(ctx context.Context, m Machine, argv ...string) ([]byte, error) {
	var out bytes.Buffer
	err := m.Run(ctx, Command{Argv: argv, Stdout: &out})
	return out.Bytes(), err
}
