package twrecycle

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
)

// recorder is a lab that keeps what is run on its machines.
type recorder struct {
	lab.Lab
	ran []string
}

type recorded struct {
	r    *recorder
	name string
}

func (m recorded) Name() string { return m.name }

func (m recorded) Run(_ context.Context, c machine.Command) error {
	m.r.ran = append(m.r.ran, m.name+"# "+strings.Join(c.Argv, " "))
	return nil
}

func (r *recorder) Agent() string     { return "agent" }
func (r *recorder) Outside() lab.Host { return lab.Host{Machine: recorded{r, "outside"}} }

func (r *recorder) Nodes() []lab.Node {
	var all []lab.Node
	for _, name := range []string{"n1", "n2", "n3"} {
		all = append(all, lab.Node{
			Machine: recorded{r, name},
			Pod:     lab.Pod{Machine: recorded{r, "pod-" + name}},
			Client:  lab.Pod{Machine: recorded{r, "client-" + name}},
		})
	}
	return all
}

// A connection of another clock that a server has closed first while the setting was on already keeps its client out for a
// minute. On kind that was the kubelet, once in some forty times: CoreDNS was not ready any more, and names did not resolve.
func TestClocksAreSetBeforeTheSettingIsOn(t *testing.T) {
	r := &recorder{}
	if err := Scenario.Inject(t.Context(), r, func(string) {}); err != nil {
		t.Fatal(err)
	}
	on := slices.Index(r.ran, "n1# sysctl -w net.ipv4.tcp_tw_recycle=1")
	if on < 0 {
		t.Fatalf("nobody switched the setting on: %q", r.ran)
	}
	if later := r.ran[on+1:]; len(later) > 0 {
		t.Errorf("after the setting is on: %q", later)
	}
}
