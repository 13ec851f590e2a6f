package undo

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lock"
	"github.com/netfault/netfault/framework/machine"
)

// answering is a lab of two nodes whose machines answer as netfault-agent does, and flannel of which it is written down what it
// is asked for.
type answering struct {
	labIn
	mu     sync.Mutex
	states map[string]agent.Recorded
	leases []evidence.Lease
	// done are the restored machines, and what was asked of flannel.
	done []string
}

type answerer struct {
	l    *answering
	name string
}

func (a answerer) Name() string { return a.name }

func (a answerer) Run(_ context.Context, c machine.Command) error {
	a.l.mu.Lock()
	defer a.l.mu.Unlock()
	switch c.Argv[1] {
	case "record":
		return json.NewEncoder(c.Stdout).Encode(a.l.states[a.name])
	case "restore":
		var want agent.Recorded
		if err := json.NewDecoder(c.Stdin).Decode(&want); err != nil {
			return err
		}
		a.l.states[a.name], a.l.done = want, append(a.l.done, a.name)
		_, err := c.Stdout.Write([]byte("null"))
		return err
	}
	return nil // ip neigh flush
}

func (l *answering) Agent() string { return "agent" }
func (l *answering) DNS() lab.DNS  { return lab.DNS{} }
func (l *answering) Outside() lab.Host {
	return lab.Host{Machine: answerer{l, "host"}}
}

func (l *answering) Nodes() []lab.Node {
	var nodes []lab.Node
	for _, name := range []string{"n1", "n2"} {
		nodes = append(nodes, lab.Node{
			Machine: answerer{l, name}, Pod: lab.Pod{Machine: answerer{l, "pod-" + name}}, Client: lab.Pod{Machine: answerer{l, "client-" + name}},
		})
	}
	return nodes
}

func (l *answering) Leases(context.Context) ([]evidence.Lease, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.leases), nil
}

func (l *answering) Flannel() lab.Flannel { return asked{l: l} }

type asked struct {
	lab.Flannel
	l *answering
}

func (a asked) Running(context.Context) ([]string, error) { return []string{"n1", "n2"}, nil }

func (a asked) Delete(context.Context) error {
	a.l.done = append(a.l.done, "delete flannel")
	return nil
}

func (a asked) Create(_ context.Context, nodes ...string) error {
	a.l.done = append(a.l.done, "create flannel on "+strings.Join(nodes, " "))
	a.l.leases = nil
	return nil
}

// What does not differ is left alone: other machines, and flanneld where it has nothing to do with what does.
func TestRestoreWhatDiffers(t *testing.T) {
	stopped := func(l *answering) { l.states["n2"] = agent.Recorded{Processes: []string{"tcpdump"}} }
	for name, c := range map[string]struct {
		change func(*answering)
		want   []string
	}{
		"nothing":         {func(*answering) {}, nil},
		"a process":       {stopped, []string{"n2"}},
		"a pod's process": {func(l *answering) { l.states["pod-n1"] = agent.Recorded{Processes: []string{"nc"}} }, []string{"pod-n1"}},
		"a process and a lease": {
			func(l *answering) { stopped(l); l.leases = []evidence.Lease{{Node: "n1"}} },
			[]string{"delete flannel", "n2", "create flannel on n1 n2"},
		},
	} {
		l := &answering{labIn: labIn{dir: t.TempDir()}, states: map[string]agent.Recorded{}}
		for _, m := range machines(l) {
			l.states[m.Name()] = agent.Recorded{}
		}
		held, err := lock.Take(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		want, err := Record(t.Context(), held)
		if err != nil {
			t.Fatal(err)
		}
		c.change(l)
		now, err := Record(t.Context(), held)
		if err != nil {
			t.Fatal(err)
		}
		if err := Restore(t.Context(), held, want, now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !slices.Equal(l.done, c.want) {
			t.Errorf("%s: touched were %q, want %q", name, l.done, c.want)
		}
	}
}
