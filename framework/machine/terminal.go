package machine

import (
	"context"
	"os"
)

// Enterer is a machine on which programs can be started with a terminal of their own.
type Enterer interface {
	Machine
	// Enter runs argv there, with env beside the machine's own environment, and waits for its end. The command's session has tty,
	// the inner end of a pty, as its controlling terminal: Ctrl-C, job control and changes of its size are the terminal's. When ctx
	// ends, the terminal's foreground programs are hung up and the command is killed. A command that ran and failed is an *ExitError.
	Enter(ctx context.Context, tty *os.File, env []string, argv ...string) error
}
