package guard

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/netfault/netfault/framework/procstat"
	"github.com/netfault/netfault/framework/wait"
)

// behaviour makes this test a guarded program that behaves so; traces is the folder where it leaves what its guard clears up.
const (
	behaviour = "NETFAULT_TEST_GUARDED"
	traces    = "NETFAULT_TEST_TRACES"
)

func TestMain(m *testing.M) {
	how := os.Getenv(behaviour)
	if how == "" {
		os.Exit(m.Run())
	}
	trace := func(pid int) string { return filepath.Join(os.Getenv(traces), strconv.Itoa(pid)) }
	os.Exit(Run(
		func() int { return behave(how, trace(os.Getpid())) },
		func(_ context.Context, pid int) error { return os.Remove(trace(pid)) },
	))
}

// behave leaves its trace, and then does as it is told.
func behave(how, trace string) int {
	if err := os.WriteFile(trace, nil, 0o644); err != nil {
		return 9
	}
	signals := make(chan os.Signal, 16)
	switch how {
	case "fails":
		return 3
	case "panics":
		panic("as told")
	case "ends orderly":
		signal.Notify(signals, syscall.SIGTERM)
	case "does not listen":
		signal.Notify(signals, syscall.SIGTERM)
	}
	fmt.Println("ready", os.Getpid())
	<-signals
	if how == "does not listen" {
		fmt.Println("heard")
		select {} // but it does nothing
	}
	fmt.Println("clearing up")
	for range 10 { // a second signal that was passed on would be seen
		select {
		case <-signals:
			return 7
		case <-time.After(20 * time.Millisecond):
		}
	}
	return 1
}

func TestRun(t *testing.T) {
	for name, c := range map[string]struct {
		how     string
		signals []syscall.Signal
		want    int
	}{
		"by itself":                        {"fails", nil, 3},
		"by a panic":                       {"panics", nil, 2},
		"by a signal":                      {"ends orderly", []syscall.Signal{syscall.SIGTERM}, 143},
		"by a hang-up":                     {"ends orderly", []syscall.Signal{syscall.SIGHUP}, 129},
		"by Ctrl-\\":                       {"ends orderly", []syscall.Signal{syscall.SIGQUIT}, 131},
		"by a signal that comes twice":     {"ends orderly", []syscall.Signal{syscall.SIGTERM, syscall.SIGTERM}, 143},
		"by a signal that is not caught":   {"", []syscall.Signal{syscall.SIGINT}, 130},
		"by force, since it does not hear": {"does not listen", []syscall.Signal{syscall.SIGTERM, syscall.SIGTERM, syscall.SIGTERM}, 143},
	} {
		t.Run(name, func(t *testing.T) {
			how := c.how
			if how == "" {
				how = "waits"
			}
			dir, cmd, lines := begin(t, how)
			if len(c.signals) > 0 && !lines.Scan() {
				t.Fatal("it is not ready")
			}
			// One after the other, each once what was done for the last is seen: two that are pending together are one, for the
			// kernel and for Go's runtime.
			seen := map[string][]string{"ends orderly": {"clearing up"}, "does not listen": {"heard", "still clearing up"}}
			for i, s := range c.signals {
				if i > 0 && (!lines.Scan() || !strings.HasPrefix(lines.Text(), seen[how][i-1])) {
					t.Fatalf("it says %q, want %q", lines.Text(), seen[how][i-1])
				}
				if err := syscall.Kill(-cmd.Process.Pid, s); err != nil {
					t.Fatal(err)
				}
			}
			for lines.Scan() {
			}
			var exit *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != c.want {
				t.Errorf("%v, want exit code %d", err, c.want)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("%v is left, %v", left, err)
			}
		})
	}
}

// A guard that is killed takes the tests along.
func TestKilledGuard(t *testing.T) {
	_, cmd, lines := begin(t, "waits")
	if !lines.Scan() {
		t.Fatal("it is not ready")
	}
	child, err := strconv.Atoi(strings.TrimPrefix(lines.Text(), "ready "))
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	err = wait.Until(t.Context(), 10*time.Second, "the end of the tests", func(context.Context) error {
		if stat, err := procstat.Read(child); err == nil && !stat.Zombie {
			return errors.New("they run")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // it was killed
}

// begin starts a guard in a process group of its own.
func begin(t *testing.T, how string) (dir string, cmd *exec.Cmd, lines *bufio.Scanner) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	cmd = exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), behaviour+"="+how, traces+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return dir, cmd, bufio.NewScanner(out)
}
