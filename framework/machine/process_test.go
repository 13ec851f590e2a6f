package machine

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/netfault/netfault/framework/wait"
)

// A command's own child holds the pipe open: only the end of the whole group ends it.
func TestOwnGroupEndsAsOne(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, "sh", "-c", "sleep 60 & echo ready; wait")
	OwnGroup(cmd)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	group, err := syscall.Getpgid(cmd.Process.Pid)
	if err != nil || group == syscall.Getpgrp() {
		t.Errorf("group %d, %v; this test's is %d: Ctrl-C would end the command", group, err, syscall.Getpgrp())
	}
	cancel()
	for lines.Scan() { // to the end of the pipe
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the command went on to its end")
	}
	err = wait.Until(t.Context(), 10*time.Second, "the end of the group", func(context.Context) error {
		if err := syscall.Kill(-group, 0); !errors.Is(err, syscall.ESRCH) {
			return errors.New("it is there")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestExitCode(t *testing.T) {
	for script, want := range map[string]int{"exit 0": 0, "exit 3": 3, "kill -TERM $$": 143, "kill -HUP $$": 129} {
		cmd := exec.Command("sh", "-c", script)
		_ = cmd.Run() // what it says stands in the state, too
		if got := ExitCode(cmd.ProcessState); got != want {
			t.Errorf("%s: %d, want %d", script, got, want)
		}
	}
}

func TestPassSignals(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "ready")
	cmd := exec.Command("sh", "-c", "trap 'exit 7' HUP; : >\"$0\"; while :; do sleep 0.01; done", ready)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	err := wait.Until(t.Context(), 10*time.Second, "the trap", func(context.Context) error {
		_, err := os.Stat(ready)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	signals, ended := make(chan os.Signal, 1), make(chan struct{})
	signals <- syscall.SIGHUP
	go PassSignals(signals, ended, func(s os.Signal) { _ = cmd.Process.Signal(s) })
	_ = cmd.Wait() // what it says stands in the state, too
	close(ended)
	if got := ExitCode(cmd.ProcessState); got != 7 {
		t.Errorf("%d, want 7, of the trap", got)
	}
}
