package gate

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/detectors"
)

// Command is a detector that is a program: it takes a folder with a bundle, and prints a report.
type Command struct {
	// Words are the program and its arguments. Placeholder in them becomes the folder; where there is none, it is the last argument.
	Words []string
	// Timeout is how long it may take for one bundle.
	Timeout time.Duration
	// Memory is how many bytes of data each of its processes may have (RLIMIT_DATA, getrlimit(2)).
	Memory uint64
	// Names translates its reports.
	Names Names
	// Dir is a folder for its bundles, which are removed one by one.
	Dir string
}

// Placeholder stands for the bundle's folder in a command.
const Placeholder = "{bundle}"

// maxReport is the most bytes that a report may have.
const maxReport = 16 << 20

// Judge runs the command on a bundle. It gets no environment but these variables, so that nothing there tells it what the bundle is.
// The error is that it could not be run at all.
func (c Command) Judge(ctx context.Context, g Given) (Answers, error) {
	home := filepath.Join(c.Dir, rand.Text())
	defer os.RemoveAll(home)
	bundle := filepath.Join(home, rand.Text())
	if err := os.CopyFS(bundle, g.Files); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	stdout, stderr := &capped{most: maxReport}, &capped{most: 4 << 10, rest: true}
	cmd := c.command(limited, bundle, stdout, stderr)
	cmd.Dir = home
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("the detector cannot be started: %w", err)
	}
	// From now on, that is; it has only just begun.
	limit := unix.Rlimit{Cur: c.Memory, Max: c.Memory}
	limitErr := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_DATA, &limit, nil)
	err := cmd.Wait()
	// ESRCH: it has left no process.
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case limitErr != nil && !errors.Is(limitErr, syscall.ESRCH): // it may have ended already
		return nil, fmt.Errorf("its memory cannot be limited: %w", limitErr)
	case limited.Err() != nil:
		return Answers{wrong: {Err: fmt.Sprintf("no answer within %s", c.Timeout)}}, nil
	}
	answers, failed := c.read(stdout, cmd.ProcessState.ExitCode(), err)
	if failed != nil {
		return Answers{wrong: {Err: detectors.OneLine(failed.Error() + said(stderr))}}, nil
	}
	return answers, nil
}

func (c Command) command(ctx context.Context, bundle string, stdout, stderr io.Writer) *exec.Cmd {
	var words []string
	placed := false
	for _, w := range c.Words {
		placed = placed || strings.Contains(w, Placeholder)
		words = append(words, strings.ReplaceAll(w, Placeholder, bundle))
	}
	if !placed {
		words = append(words, bundle)
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LANG=C.UTF-8"}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	// A group of its own, so that what it starts ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd
}

// read takes the report from what the program printed, and holds its exit code against it.
func (c Command) read(stdout *capped, code int, err error) (Answers, error) {
	var report detectors.Report
	switch {
	case stdout.over:
		return nil, fmt.Errorf("it printed more than %d bytes", maxReport)
	case code < 0 || code > detectors.ExitUnknown:
		return nil, fmt.Errorf("it ended with %w", cmp.Or(err, errors.New("no exit code")))
	}
	in := json.NewDecoder(&stdout.kept)
	if err := in.Decode(&report); err != nil {
		return nil, fmt.Errorf("it printed no report: %w", err)
	}
	if _, err := in.Token(); err != io.EOF {
		return nil, errors.New("it printed more than a report")
	}
	if report.Version != detectors.ReportVersion {
		return nil, fmt.Errorf("its report has the version %d, want %d", report.Version, detectors.ReportVersion)
	}
	answers := Answers{}
	for _, f := range report.Findings {
		if err := complete(f); err != nil {
			return nil, err
		}
		if err := c.Names.translate(f, answers); err != nil {
			return nil, err
		}
	}
	if want := report.ExitCode(detectors.FailOnUnknown); code != want {
		return nil, fmt.Errorf("it exits %d, and its report means %d", code, want)
	}
	return answers, nil
}

// complete returns an error for a finding that lacks what is judged.
func complete(f detectors.Finding) error {
	switch f.Verdict {
	case detectors.Clean, detectors.Unknown, detectors.NotApplicable:
		return nil
	case detectors.Problem:
		if f.Case == "" || f.Node == "" {
			return fmt.Errorf("a problem of %q has no case or no node", detectors.OneLine(f.Detector))
		}
		return nil
	}
	return fmt.Errorf("a finding has the verdict %q", detectors.OneLine(string(f.Verdict)))
}

// said is the last line of what a program printed on standard error, for a message.
func said(stderr *capped) string {
	lines := strings.Split(strings.TrimSpace(stderr.kept.String()), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return ": " + last
	}
	return ""
}

// capped keeps what is written, up to so many bytes. More is an error, or, where it says rest, pushes out what came first.
type capped struct {
	kept bytes.Buffer
	most int
	rest bool
	over bool
}

func (c *capped) Write(p []byte) (int, error) {
	if !c.rest && c.kept.Len()+len(p) > c.most {
		c.over = true
		return 0, io.ErrShortWrite
	}
	n, err := c.kept.Write(p)
	c.kept.Next(max(c.kept.Len()-c.most, 0))
	return n, err
}
