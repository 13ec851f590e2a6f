package fault

import (
	"strings"
	"testing"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
)

// onKubernetes is a lab that has an API.
type onKubernetes struct{ *fake }

func (onKubernetes) API() machine.Machine { return fakeMachine{name: "api"} }

// What a lab lacks for a scenario is said with the command that makes one which has it. The fake lab has flannel v0.0.0 and pods
// on cni0.
func TestMissing(t *testing.T) {
	old := Scenario{Name: "old-fault", Flannel: "v0.7.1", Pods: lab.DockerBridge}
	for _, test := range []struct {
		name string
		s    Scenario
		l    lab.Lab
		want string
	}{
		{"nothing", Scenario{}, newFake(), ""},
		{"what it has", Scenario{Flannel: "v0.0.0", Pods: lab.CNIBridge}, newFake(), ""},
		{"other pods", Scenario{Name: "x", Pods: lab.Routed}, newFake(), "`sudo netfault lab up --lab=x --pods=routed` makes one"},
		{"another flannel", old, newFake(),
			"it needs a lab with flannel v0.7.1, and fake:lab has v0.0.0: `sudo FLANNEL_VERSION=v0.7.1 netfault lab up --lab=old-fault --pods=docker0` makes one"},
		{"another flannel, on Kubernetes", old, onKubernetes{newFake()}, "it needs flannel v0.7.1, which embedded labs alone have"},
		{"other pods, on Kubernetes", Scenario{Pods: lab.Routed}, onKubernetes{newFake()}, ""},
		{"unavailable", Scenario{Unavailable: func(lab.Lab) string { return "too new" }}, newFake(), "too new"},
	} {
		if got := test.s.Missing(test.l); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
