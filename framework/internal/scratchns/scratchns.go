// Package scratchns gives a test a network namespace of its own, which goes away with the test.
package scratchns

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/vishvananda/netns"
)

// Enter moves the test's goroutine into a new network namespace with nothing but lo. The goroutine stays locked to its
// thread, which ends with it; code of other goroutines, subtests among them, runs outside. Without root the test is
// skipped.
func Enter(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make a network namespace")
	}
	runtime.LockOSThread()
	ns, err := netns.New()
	if err != nil {
		t.Skipf("cannot make a network namespace: %v", err)
	}
	if err := ns.Close(); err != nil {
		t.Fatal(err)
	}
}

// Run runs a program in the test's namespace and returns its standard output. If the machine lacks it, the test is skipped.
func Run(t testing.TB, argv ...string) string {
	t.Helper()
	if _, err := exec.LookPath(argv[0]); err != nil {
		t.Skipf("needs %s on the PATH", argv[0])
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v: %s%s", argv, err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

// Script runs one command a line in the test's namespace. It may have no quoting.
func Script(t testing.TB, lines string) {
	t.Helper()
	for line := range strings.Lines(lines) {
		if argv := strings.Fields(line); len(argv) > 0 {
			Run(t, argv...)
		}
	}
}
