package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/netfault/netfault/framework/machine"
)

// A lab whose etcd the kernel has ended is not waited for, and what is said is not that its connection is refused.
func TestWaitingEndsWithAService(t *testing.T) {
	l := up(t, "ended")
	if err := l.ended(t.Context()); err != nil {
		t.Errorf("of a lab that is up: %v", err)
	}
	if err := l.nodes[0].Run(t.Context(), machine.Command{Argv: []string{"pkill", "-KILL", "^etcd"}}); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	err := l.whileAllRuns(t.Context(), startLimit, "etcd", func(ctx context.Context) error {
		return errors.Join(l.etcd.put(ctx, etcdPrefix+"/config", "{}"), errors.New("still up"))
	})
	for _, want := range []string{"waiting for etcd: etcd on n1 has ended", "memory"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	if took := time.Since(begun); took > startLimit/2 {
		t.Errorf("waited %v for it", took)
	}
}

// A first process that ends at once is not waited for: what it said is told.
func TestFirstProcessThatEnds(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	l := newLab(record{Name: fmt.Sprintf("test-%d-first", os.Getpid()), Nodes: 3, Agent: "/bin/false"})
	t.Cleanup(func() {
		if err := Remove(context.Background(), l.record.Name); err != nil {
			t.Error(err)
		}
	})
	if err := l.startMachines(t.Context()); err == nil || !strings.Contains(err.Error(), "it has ended (exit status 1)") {
		t.Errorf("%v", err)
	}
}
