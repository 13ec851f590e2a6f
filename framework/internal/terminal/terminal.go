// Package terminal says what may be written to a terminal.
package terminal

import (
	"os"

	"golang.org/x/term"
)

// Controllable says that the file descriptor is a terminal that is known to take control sequences (ECMA-48), such as colours.
func Controllable(fd uintptr) bool { return known(os.Getenv("TERM")) && term.IsTerminal(int(fd)) }

// known says that TERM names a kind of terminal with control sequences. Editors and logs set "dumb"; sudo sets "unknown" where
// its caller has none (sudo(8)).
func known(kind string) bool { return kind != "" && kind != "dumb" && kind != "unknown" }
