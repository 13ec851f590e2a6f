package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
)

// Journalctl is the lab's own journalctl: it shows the log of a service of a machine, which is a file there.
func Journalctl(ctx context.Context, out io.Writer, args []string) error {
	unit, lines, follow, err := parseJournalctl(args)
	if err != nil {
		return fmt.Errorf("this is the lab's journalctl; it knows: journalctl -u SERVICE [-f] [-n LINES]: %w", err)
	}
	services, err := NewClient(SocketPath).Services(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, s := range services {
		if s.Name == unit {
			return showLog(ctx, out, logPath(unit), lines, follow)
		}
		names = append(names, s.Name)
	}
	return fmt.Errorf("this machine has no service %q; it has: %s", unit, strings.Join(names, ", "))
}

// all lines, of journalctl's -n.
const all = -1

// parseJournalctl reads the options that matter of journalctl(1), and takes those that are only about its pager.
func parseJournalctl(args []string) (unit string, lines int, follow bool, err error) {
	flags := pflag.NewFlagSet("journalctl", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVarP(&unit, "unit", "u", "", "")
	flags.IntVarP(&lines, "lines", "n", all, "")
	flags.BoolVarP(&follow, "follow", "f", false, "")
	flags.Bool("no-pager", false, "")
	flags.BoolP("pager-end", "e", false, "")
	flags.BoolP("catalog", "x", false, "")
	if err := flags.Parse(args); err != nil {
		return "", 0, false, err
	}
	if unit == "" || flags.NArg() > 0 {
		return "", 0, false, errors.New("name one service by -u")
	}
	if follow && !flags.Changed("lines") {
		lines = 10
	}
	return strings.TrimSuffix(unit, ".service"), lines, follow, nil
}

// logPath is where a machine sees the log of one of its services.
func logPath(service string) string { return filepath.Join(LogDir, service+".log") }

// showLog writes the last lines of the log, and what comes after them until ctx ends, if that is wanted.
func showLog(ctx context.Context, out io.Writer, path string, lines int, follow bool) error {
	log, err := os.Open(path)
	if err != nil {
		return err
	}
	defer log.Close()
	content, err := io.ReadAll(log)
	if err != nil {
		return err
	}
	if _, err := out.Write(lastLines(content, lines)); err != nil || !follow {
		return err
	}
	return followLog(ctx, out, log)
}

func lastLines(content []byte, n int) []byte {
	if n == all {
		return content
	}
	begin := len(content)
	for i := len(content) - 1; i >= 0 && n > 0; i-- {
		if i == 0 || content[i-1] == '\n' {
			begin = i
			n--
		}
	}
	return content[begin:]
}

// followLog writes what is added to the log, which is never cut off, until ctx ends. inotify(7) says when there is more.
func followLog(ctx context.Context, out io.Writer, log *os.File) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("inotify: %w", err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	defer events.Close()
	if _, err := unix.InotifyAddWatch(fd, log.Name(), unix.IN_MODIFY); err != nil {
		return fmt.Errorf("watch %s: %w", log.Name(), err)
	}
	stop := context.AfterFunc(ctx, func() { events.Close() }) // ends the read below
	defer stop()
	event := make([]byte, 4096)
	for {
		if _, err := io.Copy(out, log); err != nil {
			return err
		}
		if _, err := events.Read(event); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// withLog adds to an error of a service how its log ends and what shows more.
func withLog(err error, service string) error {
	content, readErr := os.ReadFile(logPath(service))
	last := strings.TrimSpace(string(lastLines(content, 1)))
	if readErr != nil || last == "" {
		return err
	}
	return fmt.Errorf("%w; its log (`journalctl -u %s`) ends with: %s", err, service, last)
}
