package netns

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/procstat"
	"github.com/netfault/netfault/framework/wait"
)

// agentsOf are the agents that stay in a lab's places for this process, by the network namespaces that they are in.
func agentsOf(t *testing.T) map[string]int {
	t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]int{}
	for _, path := range found {
		var pid int
		if _, err := fmt.Sscanf(path, "/proc/%d/cmdline", &pid); err != nil {
			t.Fatal(err)
		}
		line, _ := os.ReadFile(path)
		stat, err := procstat.Read(pid)
		if err != nil || stat.Parent != os.Getpid() || !bytes.Contains(line, []byte("\x00session\x00")) {
			continue
		}
		namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
		if err != nil {
			continue // it has ended
		}
		all[namespace] = pid
	}
	return all
}

func descriptors(t *testing.T, pid int) int {
	t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

// The agent of a place is started once, keeps nothing of what it was asked, and ends with its pod.
func TestAgentStays(t *testing.T) {
	l := up(t, "stays")
	n := l.nodes[1]
	pod := n.pod(probePod)
	asks := func(p *place) error {
		for _, question := range []string{"record", "later", "collect"} {
			if _, err := machine.Output(t.Context(), p, l.Agent(), question); err != nil {
				return err
			}
		}
		var out bytes.Buffer
		plan := fmt.Sprintf(`{"targets": [{"address": "%s:8080", "expect": "pod-%s"}]}`, n.podAddress(probePod).Addr(), n.name)
		err := p.Run(t.Context(), machine.Command{Argv: []string{l.Agent(), "probe"}, Stdin: strings.NewReader(plan), Stdout: &out})
		if err == nil && !strings.Contains(out.String(), `"ok":true`) {
			err = fmt.Errorf("the probe: %s", &out)
		}
		return err
	}
	namespace := func(p *place) string {
		inode, err := os.Readlink(p.net + "/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		return inode
	}
	for _, p := range []*place{n.place, pod} {
		if err := asks(p); err != nil {
			t.Fatal(err)
		}
		pid := agentsOf(t)[namespace(p)]
		if pid == 0 {
			t.Fatalf("no agent stays in %s", p.name)
		}
		before := descriptors(t, pid)
		for range 20 {
			if err := asks(p); err != nil {
				t.Fatal(err)
			}
		}
		if again := agentsOf(t)[namespace(p)]; again != pid {
			t.Errorf("%s: process %d has become %d", p.name, pid, again)
		}
		// What is being closed is not counted.
		err := wait.Until(t.Context(), startLimit, "descriptors to be closed", func(context.Context) error {
			if now := descriptors(t, pid); now > before {
				return fmt.Errorf("%s: %d descriptors have become %d", p.name, before, now)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := wait.Until(t.Context(), startLimit, "another agent", func(context.Context) error { return asks(p) }); err != nil {
			t.Errorf("%s, after its agent was killed: %v", p.name, err)
		}
	}
	old := namespace(pod)
	if err := l.startPod(t.Context(), n, probePod, 1450, []string{l.record.Agent, "serve", "--name=pod-" + n.name}, nil); err != nil {
		t.Fatal(err)
	}
	err := wait.Until(t.Context(), startLimit, "the agent of a pod that has ended to end", func(context.Context) error {
		if pid := agentsOf(t)[old]; pid != 0 {
			return fmt.Errorf("process %d is there", pid)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := asks(n.pod(probePod)); err != nil {
		t.Errorf("the pod that was made in its place: %v", err)
	}
	if err := pod.Run(t.Context(), machine.Command{Argv: []string{l.Agent(), "record"}}); err == nil || !strings.Contains(err.Error(), "does not run (any more)") {
		t.Errorf("a pod that has ended: %v", err)
	}
}

// Where enough agents stay, questions are answered all the same.
func TestNotAllAgentsStay(t *testing.T) {
	defer func(most int64) { mostStaying = most }(mostStaying)
	mostStaying = 0
	l := up(t, "many")
	if _, err := machine.Output(t.Context(), l.nodes[0], l.Agent(), "record"); err != nil {
		t.Error(err)
	}
	var here []string
	for _, p := range []*place{l.nodes[0].place, l.nodes[0].pod(probePod)} {
		inode, err := os.Readlink(p.net + "/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		here = append(here, inode)
	}
	for namespace, pid := range agentsOf(t) {
		if slices.Contains(here, namespace) {
			t.Errorf("process %d stays", pid)
		}
	}
}
