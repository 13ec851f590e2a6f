package netns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/probe"
)

// A sealed lab on a site of its own is found, opened and removed as any other, by its record or, when that is gone, by its processes.
func TestSealedLab(t *testing.T) {
	t.Setenv("SECRET_OF_THE_TEST", "1")
	l := upWith(t, Options{Name: fmt.Sprintf("test-%d-sealed", os.Getpid()), Sealed: true, Site: lab.Site{
		Nodes: []string{"ada", "bob", "eve"}, Parts: []string{"eve", "ada", "bob"},
		Underlay: netip.MustParsePrefix("172.20.7.0/24"), PodNetwork: netip.MustParsePrefix("10.9.0.0/16"), ServiceNetwork: netip.MustParsePrefix("10.200.0.0/16"),
	}})
	opened, err := Open(l.record.Name)
	if err != nil {
		t.Fatal(err)
	}
	if err := probe.Healthy(t.Context(), opened); err != nil {
		t.Errorf("as another process opens it: %v", err)
	}
	for i, want := range []string{"eve 172.20.7.13 10.9.3.0/24 10.200.1.2", "ada 172.20.7.11 10.9.1.0/24 10.200.1.0", "bob 172.20.7.12 10.9.2.0/24 10.200.1.1"} {
		n := opened.Nodes()[i]
		if got := fmt.Sprint(n.Name(), " ", n.Address, " ", n.PodCIDR, " ", n.Pod.Service.ClusterIP); got != want {
			t.Errorf("node %d is %s, want %s", i, got, want)
		}
	}
	if running, err := opened.Flannel().Running(t.Context()); err != nil || !slices.Equal(running, []string{"ada", "bob", "eve"}) {
		t.Errorf("flanneld runs on %v, %v", running, err)
	}
	first, err := firstProcesses(l.record.Name)
	if err != nil || len(first) != 5 {
		t.Errorf("its machines are %v, %v; want the switch, the host and three nodes", first, err)
	}
	t.Run("shows none of this machine's files", func(t *testing.T) { seesNothing(t, opened) })
	t.Run("has a terminal for those who enter", func(t *testing.T) { hasTerminal(t, opened) })
	if err := os.RemoveAll(l.StateDir()); err != nil {
		t.Fatal(err)
	}
	if names, err := List(); err != nil || !strings.Contains(strings.Join(names, " ")+" ", l.record.Name+" ") {
		t.Errorf("without its folder it is not found: %v, %v", names, err)
	}
	if err := Remove(t.Context(), l.record.Name); err != nil {
		t.Fatal(err)
	}
	if left, err := firstProcesses(l.record.Name); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// seesNothing looks for this test's own files and environment from a node, and tries to write where machines share a folder.
func seesNothing(t *testing.T, l *Lab) {
	node := l.Nodes()[0]
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{self, t.TempDir(), l.record.Agent, StateDir(l.record.Name), "/etc/shadow", "/dev/vda", "/dev/sda"} {
		if _, err := machine.Output(t.Context(), node, "ls", "-d", path); err == nil {
			t.Errorf("%s is seen there", path)
		}
	}
	env, err := machine.Output(t.Context(), node, "env")
	if err != nil || strings.Contains(string(env), "SECRET") {
		t.Errorf("%s%v", env, err)
	}
	// Whose child a command is has that one's environment for a moment, and a process outside has the process ID 0 there.
	parent, err := machine.Output(t.Context(), node, "sh", "-c", "cat /proc/$PPID/environ")
	if err != nil || len(parent) == 0 || strings.Contains(string(parent), "SECRET") {
		t.Errorf("of the process that starts commands: %q %v", parent, err)
	}
	for _, path := range []string{"/x", "/usr/x", "/usr/local/bin/x", agent.SealedProgram} {
		if _, err := machine.Output(t.Context(), node, "touch", path); err == nil {
			t.Errorf("%s can be written to", path)
		}
	}
	for _, path := range []string{"/tmp/x", "/root/x", "/var/log/x", "/etc/x"} {
		if _, err := machine.Output(t.Context(), node, "touch", path); err != nil {
			t.Error(err)
		}
		if _, err := machine.Output(t.Context(), l.Nodes()[1], "ls", "-d", path); err == nil {
			t.Errorf("%s of %s is on %s, too", path, node.Name(), l.Nodes()[1].Name())
		}
	}
}

// hasTerminal starts a shell on a pty, types into it, and ends it.
func hasTerminal(t *testing.T, l *Lab) {
	outer, inner := openPTY(t)
	entered := l.Nodes()[1].Pod.Machine.(machine.Enterer)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- entered.Enter(ctx, inner, []string{"PS1=here# "}, "bash", "--norc", "-i") }()
	if _, err := outer.WriteString("tty; echo has $((6*7)); cat\n"); err != nil {
		t.Fatal(err)
	}
	readUntil(t, outer, "has 42\r\n")
	if _, err := outer.WriteString("ping\n"); err != nil {
		t.Fatal(err)
	}
	readUntil(t, outer, "ping\r\nping\r\n")              // the terminal's echo, and cat, which is in the foreground then
	if _, err := outer.WriteString("\x03"); err != nil { // Ctrl-C is the terminal's own
		t.Fatal(err)
	}
	readUntil(t, outer, "here# ")
	if _, err := outer.WriteString("echo $? again\n"); err != nil {
		t.Fatal(err)
	}
	readUntil(t, outer, "130 again\r\n")
	if _, err := outer.WriteString("exit 3\n"); err != nil {
		t.Fatal(err)
	}
	var exit *machine.ExitError
	if err := <-ended; !errors.As(err, &exit) || exit.Code != 3 {
		t.Errorf("%v, want exit code 3", err)
	}
	go func() { ended <- entered.Enter(ctx, inner, nil, "sleep", "60") }()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) && !strings.Contains(fmt.Sprint(err), "killed") {
		t.Errorf("%v, want the end of its context", err)
	}
}

func readUntil(t *testing.T, from *os.File, want string) {
	t.Helper()
	var said bytes.Buffer
	for buffer := make([]byte, 4096); !strings.Contains(said.String(), want); {
		n, err := from.Read(buffer)
		if err != nil {
			t.Fatalf("%v after %q, want %q", err, said.String(), want)
		}
		said.Write(buffer[:n])
	}
}

// openPTY returns the two ends of a new pty (pts(4)).
func openPTY(t *testing.T) (outer, inner *os.File) {
	t.Helper()
	outer, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { outer.Close() })
	if err := outer.SetReadDeadline(time.Now().Add(answerLimit)); err != nil {
		t.Fatal(err)
	}
	raw, err := outer.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	unlocked, number := int32(0), uint32(0)
	for request, value := range map[uintptr]unsafe.Pointer{unix.TIOCSPTLCK: unsafe.Pointer(&unlocked), unix.TIOCGPTN: unsafe.Pointer(&number)} {
		var errno syscall.Errno
		err := raw.Control(func(fd uintptr) { _, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(value)) })
		if err != nil || errno != 0 {
			t.Fatal(err, errno)
		}
	}
	inner, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inner.Close() })
	return outer, inner
}
