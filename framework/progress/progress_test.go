package progress

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// A board whose line is written only when the test says so.
func board(out *bytes.Buffer, width int) *Board {
	b := &Board{out: out, begin: time.Now()}
	if width > 0 {
		b.width = func() int { return width }
	}
	return b
}

func TestLineByLine(t *testing.T) {
	var out bytes.Buffer
	b := board(&out, 0)
	b.tell()
	if out.Len() > 0 {
		t.Errorf("%q of no task", out.String())
	}
	etcd, coredns := b.Task("etcd"), b.Task("coredns")
	etcd.Of(556, "packages")
	etcd.Step()
	coredns.Doing("linking")
	b.tell()
	if got, want := out.String(), "etcd: 1 of 556 packages; coredns: linking\n"; !strings.HasSuffix(got, want) || strings.Contains(got, "\r") {
		t.Errorf("%q; want a line that ends with %q", got, want)
	}
	out.Reset()
	etcd.End()
	b.tell()
	if got := out.String(); strings.Contains(got, "etcd") || !strings.Contains(got, "coredns") {
		t.Errorf("after etcd's end: %q", got)
	}
}

func TestOnTerminal(t *testing.T) {
	var out bytes.Buffer
	b := board(&out, 20)
	b.Task("a name that is longer than the terminal is wide").Doing("linking")
	b.tell()
	if line := strings.TrimPrefix(out.String(), wiped); len(line) != 19 || strings.Contains(line, "\n") {
		t.Errorf("%q; want 19 of 20 columns of a line that goes on", out.String())
	}
	out.Reset()
	fmt.Fprintln(b, "said")
	if got, want := out.String(), wiped+"said\n"; got != want {
		t.Errorf("%q; want the line away first: %q", got, want)
	}
	out.Reset()
	release := b.Hold()
	b.tell()
	if out.Len() > 0 {
		t.Errorf("%q while another program has the terminal", out.String())
	}
	release()
	b.tell()
	if out.Len() == 0 {
		t.Error("nothing after that")
	}
}

func TestStopTakesTheLineAway(t *testing.T) {
	var out bytes.Buffer
	b, stop := Start(&out)
	b.shown = true
	stop()
	stop()
	if out.String() != wiped {
		t.Errorf("%q; want %q", out.String(), wiped)
	}
}

// What two programs say in pieces stands in lines of their own.
func TestLines(t *testing.T) {
	var out bytes.Buffer
	b := board(&out, 0)
	apt := b.Lines()
	for _, step := range []struct{ says, shown string }{
		{"Reading package lists...", ""},
		{"\nBuilding dependency tree...\nReading ", "Reading package lists...\nBuilding dependency tree...\n"},
		{"state", ""},
	} {
		out.Reset()
		fmt.Fprint(apt, step.says)
		if got := out.String(); got != step.shown {
			t.Errorf("after %q, %q is shown, want %q", step.says, got, step.shown)
		}
	}
	out.Reset()
	fmt.Fprintln(b, "etcd: built")
	if err := apt.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "etcd: built\nReading state\n"; got != want {
		t.Errorf("%q is shown, want %q", got, want)
	}
}
