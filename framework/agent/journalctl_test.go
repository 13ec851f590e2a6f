package agent

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseJournalctl(t *testing.T) {
	type options struct {
		unit   string
		lines  int
		follow bool
	}
	for args, want := range map[string]options{
		"-u flanneld":                    {"flanneld", all, false},
		"--unit=flanneld.service -n 5":   {"flanneld", 5, false},
		"-fu flanneld":                   {"flanneld", 10, true},
		"-u flanneld -f -n20":            {"flanneld", 20, true},
		"-xeu flanneld --no-pager":       {"flanneld", all, false},
		"--follow --lines=0 -u flanneld": {"flanneld", 0, true},
	} {
		var got options
		var err error
		got.unit, got.lines, got.follow, err = parseJournalctl(strings.Fields(args))
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", args, got, err, want)
		}
	}
	for _, args := range []string{"", "-f", "-u flanneld extra", "-u flanneld --since=today", "-u flanneld -n x"} {
		if _, _, _, err := parseJournalctl(strings.Fields(args)); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}

func TestLastLines(t *testing.T) {
	const log = "one\ntwo\nthree\n"
	for n, want := range map[int]string{all: log, 0: "", 1: "three\n", 2: "two\nthree\n", 9: log} {
		if got := string(lastLines([]byte(log), n)); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	if got := string(lastLines([]byte("one\ntwo"), 1)); got != "two" {
		t.Errorf("a line without an end: %q", got)
	}
	if got := lastLines(nil, 3); len(got) > 0 {
		t.Errorf("of nothing: %q", got)
	}
}

func TestFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	add := func(line string) {
		t.Helper()
		if _, err := log.WriteString(line + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	add("one")
	add("two")
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- showLog(ctx, in, path, 1, true) }()
	lines := bufio.NewScanner(out)
	next := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("line %q, want %q", lines.Text(), want)
		}
	}
	next("two")
	add("three")
	next("three")
	add("four")
	next("four")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
