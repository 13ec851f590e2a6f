package fault

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lock"
	"github.com/netfault/netfault/framework/machine"
)

// meeting is a lab of three nodes on which the command "meet" ends only once it runs on all of them.
type meeting struct {
	lab.Lab
	everybody sync.WaitGroup
	mu        sync.Mutex
	ran       []string
}

type attendant struct {
	m    *meeting
	name string
}

func (a attendant) Name() string { return a.name }

func (a attendant) Run(_ context.Context, c machine.Command) error {
	if c.Argv[0] == "meet" {
		a.m.everybody.Done()
		a.m.everybody.Wait()
	}
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.m.ran = append(a.m.ran, a.name+" "+c.Argv[0])
	if c.Argv[0] == "fail" {
		return errors.New("refused")
	}
	return nil
}

func (m *meeting) API() machine.Machine { return attendant{m, "api"} }

func (m *meeting) Nodes() []lab.Node {
	var nodes []lab.Node
	for _, name := range []string{"n1", "n2", "n3"} {
		nodes = append(nodes, lab.Node{Machine: attendant{m, name}})
	}
	return nodes
}

func commandsOf(lines ...string) []detectors.Command {
	var commands []detectors.Command
	for _, line := range lines {
		node, program, _ := strings.Cut(line, " ")
		if node == "api" {
			node = ""
		}
		commands = append(commands, detectors.Command{Node: node, Argv: []string{program}})
	}
	return commands
}

// Nodes are served side by side, each in its own order; the API's commands stand between.
func TestCommandsSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in which waiting for ever is an error
		m := &meeting{}
		m.everybody.Add(3)
		l := &Life{Lab: &lock.Held{Lab: m}, Reporter: quiet{}}
		err := l.runCommands(t.Context(), commandsOf("n1 first", "n1 meet", "n2 meet", "n3 meet", "n3 last", "api between", "n1 after"))
		if err != nil {
			t.Fatal(err)
		}
		at := func(what string) int { return slices.Index(m.ran, what) }
		if at("n1 first") > at("n1 meet") || at("n3 meet") > at("n3 last") || at("api between") != 5 || at("n1 after") != 6 {
			t.Errorf("the order was %q", m.ran)
		}
		if len(l.details) != 7 {
			t.Errorf("told were %q", l.details)
		}
	})
}

// What fails on one node ends its own commands and what comes after all, and cuts nothing off on another.
func TestCommandThatFailsOnOneNode(t *testing.T) {
	m := &meeting{}
	l := &Life{Lab: &lock.Held{Lab: m}, Reporter: quiet{}}
	err := l.runCommands(t.Context(), commandsOf("n1 fail", "n1 more", "n2 a", "n2 b", "api after"))
	slices.Sort(m.ran)
	if want := []string{"n1 fail", "n2 a", "n2 b"}; err == nil || !slices.Equal(m.ran, want) {
		t.Errorf("%v; ran %q, want %q", err, m.ran, want)
	}
}
