package terminal

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestControllable(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal to be had: %v", err)
	}
	defer terminal.Close()
	for kind, want := range map[string]bool{"xterm": true, "linux": true, "": false, "dumb": false, "unknown": false} {
		t.Setenv("TERM", kind)
		if got := Controllable(terminal.Fd()); got != want {
			t.Errorf("TERM=%q: %v", kind, got)
		}
	}
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	t.Setenv("TERM", "xterm")
	if Controllable(file.Fd()) {
		t.Errorf("%s is no terminal", os.DevNull)
	}
}
