package shell

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// here runs a program on this machine.
func here(ctx context.Context, tty *os.File, env []string, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = tty, tty, tty, append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	return cmd.Run()
}

// session types lines into a shell and returns what the terminal showed, and the recording.
func session(t *testing.T, typed string) (shown, cast string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var out, recorded bytes.Buffer
	err := Run(ctx, here, Options{Machine: "web-1", Term: "xterm", In: strings.NewReader(typed), Out: &out, Recording: &recorded})
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), recorded.String()
}

func TestAShellHasItsTerminalAndAPrompt(t *testing.T) {
	shown, _ := session(t, "stty size; tty; echo $((40+2)) $HOME; sleep 60 &\nexit\n")
	for _, want := range []string{"web-1# ", "32 120", "/dev/pts/", "42 /"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not in what it shows: %q", want, shown)
		}
	}
	if strings.Contains(shown, "no job control") {
		t.Errorf("it has no job control: %q", shown)
	}
}

func TestASessionEndsWithItsInput(t *testing.T) {
	if shown, _ := session(t, "echo so\n"); !strings.Contains(shown, "so") {
		t.Errorf("it shows %q", shown)
	}
}

// The recording is asciicast v2: asciinema plays it.
func TestARecordingIsWhatTheTerminalShows(t *testing.T) {
	shown, cast := session(t, "echo 修复\nexit\n")
	lines := strings.Split(strings.TrimSpace(cast), "\n")
	var header struct {
		Version, Width, Height int
		Timestamp              int64
	}
	if err := json.Unmarshal([]byte(lines[0]), &header); err != nil || header.Version != 2 || header.Width != Columns || header.Height != Rows || header.Timestamp == 0 {
		t.Errorf("header %s: %v", lines[0], err)
	}
	var all strings.Builder
	last := 0.0
	for _, line := range lines[1:] {
		var event []any
		if err := json.Unmarshal([]byte(line), &event); err != nil || len(event) != 3 || event[1] != "o" {
			t.Fatalf("event %s: %v", line, err)
		}
		at, ok := event[0].(float64)
		if !ok || at < last {
			t.Errorf("event %s after one at %v", line, last)
		}
		last = at
		all.WriteString(event[2].(string))
	}
	if all.String() != shown {
		t.Errorf("recorded %q, shown %q", all.String(), shown)
	}
}

// A character that is cut in two by a read stays whole.
func TestACharacterThatComesInPartsIsRecordedWhole(t *testing.T) {
	var to bytes.Buffer
	r := &recording{to: &to, begun: time.Now()}
	for _, b := range []byte("x修\xffy") {
		if _, err := r.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for line := range strings.Lines(to.String()) {
		var event []any
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatal(err)
		}
		got = append(got, event[2].(string))
	}
	if text := strings.Join(got, "|"); text != "x|修|\ufffd|y" {
		t.Errorf("recorded %q", text)
	}
}

func TestARecordingThatCannotBeWrittenEndsTheSession(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	if err := Run(t.Context(), here, Options{Machine: "web-1", Term: "xterm", In: strings.NewReader("exit\n"), Out: io.Discard, Recording: full}); err == nil {
		t.Error("nobody is told that nothing is recorded")
	}
}
