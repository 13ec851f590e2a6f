package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/training/shell"
)

func TestProgramsOfATerminalAreSeenAndNoOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	var own unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &own); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var got []string
	watched := func(inode uint32) *Watch {
		var w *Watch
		typed := "/bin/echo one; (/bin/echo two words | cat)\n/bin/echo " + strings.Repeat("x", 2*argumentsLength) + "\nexit\n"
		enter := func(ctx context.Context, tty *os.File, env []string, argv ...string) error {
			cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
			cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = tty, tty, tty, append([]string{"PATH=" + os.Getenv("PATH")}, env...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			return cmd.Run()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		err := shell.Run(ctx, enter, shell.Options{
			Machine: "web-1", Term: "xterm", In: strings.NewReader(typed), Out: io.Discard, Recording: io.Discard,
			Opened: func(number uint32) {
				var err error
				w, err = Start(number, inode, func(argv []string) {
					mu.Lock()
					defer mu.Unlock()
					got = append(got, strings.Join(argv, " "))
				})
				if errors.Is(err, ErrUnseen) {
					t.Skip(err)
				}
				if err != nil {
					t.Fatal(err)
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	w := watched(uint32(own.Ino))
	// This one has no terminal.
	if err := exec.Command("/bin/echo", "elsewhere").Run(); err != nil {
		t.Fatal(err)
	}
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"bash --norc --noprofile -i", "/bin/echo one", "/bin/echo two words", "cat"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q was not seen, but %q", want, got)
		}
	}
	if last := got[len(got)-1]; !strings.HasPrefix(last, "/bin/echo xxx") || len(last) > argumentsLength {
		t.Errorf("of long arguments %d bytes were told: %.40q", len(last), last)
	}
	if text := fmt.Sprint(got); strings.Contains(text, "elsewhere") {
		t.Errorf("it saw what has no terminal: %q", got)
	}

	got = nil
	if err := watched(uint32(own.Ino) + 1).Stop(); err != nil {
		t.Fatal(err)
	}
	if len(got) > 0 {
		t.Errorf("it saw programs of another network namespace: %q", got)
	}
}

func TestHalfAnEventIsNone(t *testing.T) {
	for _, event := range [][]byte{nil, make([]byte, 8), make([]byte, eventLength)} {
		if argv := arguments(event); argv != nil {
			t.Errorf("%d bytes: %q", len(event), argv)
		}
	}
}
