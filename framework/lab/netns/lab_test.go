package netns

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/guard"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lab/owner"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/probe"
	"github.com/netfault/netfault/framework/tools"
	"github.com/netfault/netfault/framework/wait"
)

// decoyVariable makes this test a process that only waits for the end of its standard input.
const decoyVariable = "NETFAULT_TEST_DECOY"

func TestMain(m *testing.M) {
	if os.Getenv(decoyVariable) != "" {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the test, too
		return
	}
	os.Exit(guard.Run(m.Run, removeAll))
}

// removeAll removes the labs of a process of tests that has ended.
func removeAll(ctx context.Context, pid int) error {
	names, err := List()
	if err != nil {
		return err
	}
	var failed []error
	for _, name := range names {
		if strings.HasPrefix(name, fmt.Sprintf("test-%d-", pid)) || name == fmt.Sprintf("bench-%d", pid) {
			failed = append(failed, Remove(ctx, name))
		}
	}
	return errors.Join(failed...)
}

// up makes a lab for a test that needs a real one, which make test-lab runs: it needs root and netfault-agent beside the test.
func up(t *testing.T, suffix string) *Lab {
	t.Helper()
	return upWith(t, Options{Name: fmt.Sprintf("test-%d-%s", os.Getpid(), suffix)})
}

func upWith(t *testing.T, o Options) *Lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("labs need root: make test-lab runs this test")
	}
	if _, err := tools.Agent(); err != nil {
		t.Skipf("make test-lab runs this test: %v", err)
	}
	o.Ready, o.Flannel, o.Owned = probe.Healthy, cmp.Or(o.Flannel, tools.FlannelVersion()), true
	t.Cleanup(func() {
		if err := Remove(context.Background(), o.Name); err != nil {
			t.Error(err)
		}
	})
	l, err := Up(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A pod's network namespace is made on a thread of the node's first process. Were that ever the main thread, then
// /proc/PID/ns/net, by which the node is entered, would show the pod's.
func TestNodeKeepsItsNetworkHoweverManyPodsStart(t *testing.T) {
	l := up(t, "pods")
	n := l.nodes[1]
	before, err := os.Readlink(n.root + "/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if err := l.startPod(t.Context(), n, probePod, 1450, []string{l.record.Agent, "serve", "--name=pod-" + n.name}, nil); err != nil {
			t.Fatal(err)
		}
		after, err := os.Readlink(n.root + "/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		if after != before {
			t.Fatalf("the node's network namespace was %s and is %s", before, after)
		}
	}
}

func TestTwoLabsSideBySide(t *testing.T) {
	one, two := up(t, "one"), up(t, "two")
	if err := Remove(t.Context(), one.record.Name); err != nil {
		t.Fatal(err)
	}
	if err := probe.Healthy(t.Context(), two); err != nil {
		t.Errorf("removing one lab broke the other: %v", err)
	}
	if _, err := Up(t.Context(), Options{Name: two.record.Name}); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("a second lab of the same name: %v", err)
	}
	if use, err := UseOf(two.record.Name); err != nil || use != owner.Owned {
		t.Errorf("UseOf: %v, %v; want Owned by this process", use, err)
	}
	opened, err := Open(two.record.Name)
	if err != nil {
		t.Fatal(err)
	}
	if err := probe.Healthy(t.Context(), opened); err != nil {
		t.Errorf("the lab as another process opens it: %v", err)
	}
}

// A process with the lab's name and arguments, but in this machine's own PID namespace, is a stranger's.
func TestRemoveLeavesStrangersAlone(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	name := fmt.Sprintf("test-%d-decoy", os.Getpid())
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	decoy := exec.Command(self)
	decoy.Args = []string{"/x/netfault-agent", "init", "--lab=" + name, "--machine=switch"}
	decoy.Env = append(os.Environ(), decoyVariable+"=1")
	stdin, err := decoy.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	if err := decoy.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() { gone <- decoy.Wait() }()
	if err := Remove(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-gone:
		t.Fatalf("a stranger's process was ended: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if err := decoy.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-gone
}

// What a command of the machine has left behind is taken away when it ends, as the first process of any machine does it.
func TestOrphansAreReaped(t *testing.T) {
	l := up(t, "orphans")
	n1 := l.Nodes()[0]
	out, err := machine.Output(t.Context(), n1, "sh", "-c", "sleep 0.1 >/dev/null & echo $!")
	if err != nil {
		t.Fatal(err)
	}
	orphan := "/proc/" + strings.TrimSpace(string(out))
	err = wait.Until(t.Context(), 10*time.Second, "the end of the orphan", func(ctx context.Context) error {
		_, err := machine.Output(ctx, n1, "test", "!", "-e", orphan)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestRunTellsWhatFailed(t *testing.T) {
	l := up(t, "run")
	n := l.nodes[0]
	err := n.Run(t.Context(), machine.Command{Argv: []string{"ip", "link", "show", "dev", "nonsense"}})
	var exit *machine.ExitError
	if !errors.As(err, &exit) || exit.Code != 1 || exit.Machine != "n1" || !strings.Contains(exit.Stderr, "nonsense") {
		t.Errorf("error %#v tells neither the machine, nor the code, nor what ip said", err)
	}
	err = n.Run(t.Context(), machine.Command{Argv: []string{"no-such-program"}})
	if err == nil || !strings.Contains(err.Error(), "doctor") {
		t.Errorf("error %v does not say what to do", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := n.Run(ctx, machine.Command{Argv: []string{"sleep", "60"}}); err == nil || errors.As(err, &exit) {
		t.Errorf("a command that was cut off is told as %v", err)
	}
	var out bytes.Buffer
	if err := n.Run(t.Context(), machine.Command{Argv: []string{"hostname"}, Stdout: &out}); err != nil || out.String() != "n1\n" {
		t.Errorf("host name %q, %v", out.String(), err)
	}
}

// The counterpart of the DaemonSet: deleting it leaves the interfaces, and it can come back without a node.
func TestFlannelDaemonSet(t *testing.T) {
	l := up(t, "flannel")
	if err := l.flannel.Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	if running, err := l.flannel.Running(t.Context()); err != nil || len(running) != 0 {
		t.Errorf("flanneld runs on %v, %v", running, err)
	}
	if _, err := machine.Output(t.Context(), l.nodes[0], "ip", "link", "show", "dev", "flannel.1"); err != nil {
		t.Errorf("flannel.1 went with flanneld: %v", err)
	}
	if err := l.flannel.Create(t.Context(), "n1", "n3"); err != nil {
		t.Fatal(err)
	}
	if running, err := l.flannel.Running(t.Context()); err != nil || !slices.Equal(running, []string{"n1", "n3"}) {
		t.Errorf("flanneld runs on %v, %v; want n1 and n3", running, err)
	}
	if err := l.flannel.Create(t.Context(), "n9"); err == nil || !strings.Contains(err.Error(), "n1, n2, n3") {
		t.Errorf("error %v does not say which nodes there are", err)
	}
}

// A flanneld that waits for etcd runs, and is not ready: that must be seen while it starts, and not be waited for.
func TestFlanneldThatIsNotReady(t *testing.T) {
	l := up(t, "starting")
	if _, err := l.nodes[0].client().Act(t.Context(), "etcd", "stop"); err != nil {
		t.Fatal(err)
	}
	restarted := make(chan error, 1)
	go func() {
		_, err := l.nodes[1].client().Act(t.Context(), flanneldService, "restart")
		restarted <- err
	}()
	want := func(starting ...string) {
		t.Helper()
		err := wait.Until(t.Context(), 10*time.Second, "flanneld", func(ctx context.Context) error {
			if got, err := l.flannel.Starting(ctx); err != nil || !slices.Equal(got, starting) {
				return fmt.Errorf("it is starting on %v, %v; want %v", got, err, starting)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	want("n2")
	if running, err := l.flannel.Running(t.Context()); err != nil || !slices.Contains(running, "n2") {
		t.Errorf("flanneld runs on %v, %v; want n2, too", running, err)
	}
	if broken, err := l.Broken(t.Context()); err != nil || !slices.Equal(broken, []string{"no etcd on n1"}) {
		t.Errorf("%q, %v", broken, err)
	}
	if _, err := l.nodes[0].client().Act(t.Context(), "etcd", "start"); err != nil {
		t.Fatal(err)
	}
	if err := <-restarted; err != nil {
		t.Error(err)
	}
	want()
	if broken, err := l.Broken(t.Context()); err != nil || len(broken) > 0 {
		t.Errorf("%q, %v", broken, err)
	}
}

// What was killed in a lab, and one whose making was ended, is told by name, with the command that removes it, which works.
func TestBrokenLab(t *testing.T) {
	l := up(t, "broken")
	name := l.record.Name
	status, err := l.nodes[0].client().Act(t.Context(), "pod", "stop")
	if err != nil || status.Running {
		t.Fatal(status, err)
	}
	if broken, err := l.Broken(t.Context()); err != nil || !slices.Equal(broken, []string{"no probe server in pod-n1"}) {
		t.Errorf("a pod's server was stopped: %q, %v", broken, err)
	}
	if _, err := Open(name); err != nil {
		t.Errorf("a lab whose parts can be started again cannot be opened: %v", err)
	}
	r := l.record
	for _, c := range []struct {
		break_ func() error
		want   string
	}{
		{func() error { r.Made, r.Owner.Start = false, 1; return r.write() }, "its making was ended"},
		{func() error { r = l.record; return r.write() }, ""},
		{func() error { return killFirst(name, "n2") }, "n2 does not run"},
		{func() error { return killFirst(name, "host") }, "host does not run; n2 does not run"},
		{func() error { return killFirst(name, switchName) }, "none of its machines runs"},
	} {
		if err := c.break_(); err != nil {
			t.Fatal(err)
		}
		_, err := Open(name)
		var broken *lab.BrokenError
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%v, want none", err)
		case c.want == "":
		case !errors.As(err, &broken) || strings.Join(broken.What, "; ") != c.want || !strings.Contains(err.Error(), "`netfault lab down --lab="+name+"`"):
			t.Errorf("%v; want %q, and what removes the lab", err, c.want)
		}
	}
	if err := Remove(t.Context(), name); err != nil {
		t.Error(err)
	}
	if all, err := List(); err != nil || slices.Contains(all, name) {
		t.Errorf("it is still there: %q, %v", all, err)
	}
}

// killFirst kills the first process of a machine, and returns once it is gone.
func killFirst(lab, machine string) error {
	return wait.Until(context.Background(), 10*time.Second, machine+" to end", func(context.Context) error {
		running, err := firstProcesses(lab)
		if err != nil || running[machine] == 0 {
			return err
		}
		return errors.Join(errors.New("it runs"), killMarked(lab, machine, running[machine]))
	})
}

// `flock FILE netfault lab up` must not hold the lock for as long as the lab stands.
func TestLabHoldsNothingOfItsMakers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_RDWR, 0o644) // without O_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	l := up(t, "inherits")
	first, err := firstProcesses(l.record.Name)
	if err != nil {
		t.Fatal(err)
	}
	for machine, pid := range first {
		held, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		if err != nil || len(held) == 0 {
			t.Fatal(held, err)
		}
		for _, file := range held {
			if what, _ := os.Readlink(file); what == path {
				t.Errorf("%s holds it", machine)
			}
		}
	}
}

func TestJournalctl(t *testing.T) {
	l := up(t, "journal")
	out, err := machine.Output(t.Context(), l.nodes[0], "journalctl", "-u", "flanneld", "-n", "3")
	if err != nil || bytes.Count(out, []byte("\n")) != 3 {
		t.Errorf("%q, %v; want three lines of flanneld's log", out, err)
	}
	if _, err := machine.Output(t.Context(), l.nodes[1], "journalctl", "-u", "nonsense"); err == nil || !strings.Contains(err.Error(), "flanneld") {
		t.Errorf("error %v does not say what services there are", err)
	}
	// A service that does not start says why, where somebody reads it.
	failing := agent.Service{Name: "failing", Argv: []string{"sh", "-c", "echo I cannot; exit 1"}, Notify: true}
	_, err = l.nodes[0].client().Put(t.Context(), failing)
	if err == nil || !strings.Contains(err.Error(), "I cannot") || !strings.Contains(err.Error(), "`journalctl -u failing`") {
		t.Errorf("error %v does not quote the log", err)
	}
}

// A machine's own /run and /proc must not be this machine's.
func TestMachinesAreIsolated(t *testing.T) {
	l := up(t, "isolated")
	for _, check := range []struct{ path, want string }{
		{"/run/flannel/subnet.env", "10.244.2.1/24"},
		{"/proc/1/cmdline", "--machine=n2"},
		{"/sys/class/net/eth0/address", "02:42:c0:a8:64:0c"},
	} {
		out, err := machine.Output(t.Context(), l.nodes[1], "cat", check.path)
		if err != nil || !strings.Contains(string(out), check.want) {
			t.Errorf("n2's %s has no %q: %q, %v", check.path, check.want, out, err)
		}
	}
	if _, err := os.Stat(filepath.Join("/run", "flannel", "subnet.env")); err == nil {
		t.Error("this machine has a /run/flannel/subnet.env; was it there before?")
	}
	processes, err := machine.Output(t.Context(), l.nodes[1], "ls", "/proc")
	if err != nil || len(bytes.Fields(processes)) > 100 {
		t.Errorf("n2 sees too much in /proc: %d entries, %v", len(bytes.Fields(processes)), err)
	}
	var st []agent.Status
	if st, err = l.nodes[1].client().Services(t.Context()); err != nil || len(st) != 3 {
		t.Errorf("n2's services: %+v, %v; want flanneld and two pods", st, err)
	}
}

// Root has no sbin folders on its PATH after su, and many have a proxy in their environment.
func TestLabWhateverTheEnvironmentOfItsMaker(t *testing.T) {
	t.Setenv("PATH", "/usr/bin:/bin")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:9")
	up(t, "environment")
}
