// Package report shows people and programs what happens: the steps of a fault's life and the findings of detectors.
package report

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/internal/terminal"
)

// Console writes steps as they happen, one line for the begin and one for the end of each. It implements
// fault.Reporter.
type Console struct {
	w     io.Writer
	color bool
}

// NewConsole writes to w, in colour only if w is a terminal that has colours and NO_COLOR is not set (no-color.org).
func NewConsole(w io.Writer) *Console {
	f, ok := w.(file)
	return &Console{w: w, color: ok && terminal.Controllable(f.Fd()) && os.Getenv("NO_COLOR") == ""}
}

// file is what may be a terminal: an *os.File, or what writes to one.
type file interface{ Fd() uintptr }

const (
	red   = "31"
	green = "32"
	dim   = "2"
	bold  = "1"
)

func (c *Console) paint(code, s string) string {
	if !c.color {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// Begin writes the name of the step and what must hold.
func (c *Console) Begin(scenario string, s fault.Step) {
	fmt.Fprintf(c.w, "%s %s: %s\n", scenario, c.paint(bold, s.Name), s.About)
}

// Detail writes an indented line.
func (c *Console) Detail(line string) {
	fmt.Fprintf(c.w, "    %s\n", c.paint(dim, line))
}

// End writes how the step went and how long it took.
func (c *Console) End(scenario string, s fault.Step, r fault.Result) {
	took := time.Duration(r.Seconds * float64(time.Second)).Round(time.Millisecond)
	if r.OK {
		fmt.Fprintf(c.w, "%s %s: %s (%v, step %d of %d)\n", scenario, r.Step, c.paint(green, "ok"), took, s.Number, s.Of)
		return
	}
	fmt.Fprintf(c.w, "%s %s: %s (%v): %s\n", scenario, r.Step, c.paint(red, "FAILED"), took, r.Error)
	if r.Bundle != "" {
		fmt.Fprintf(c.w, "    the evidence is in %s; judge it again with: netfault detect --bundle=%s\n", r.Bundle, r.Bundle)
	}
}
