package snapshot

import (
	"slices"
	"testing"

	"github.com/netfault/netfault/framework/lab"
)

// madeOf is a lab of which only that is known.
type madeOf struct {
	lab.Lab
	flannel, docker string
	pods            lab.Attachment
}

func (m madeOf) Flannel() lab.Flannel { return flannel{version: m.flannel} }
func (m madeOf) Docker() string       { return m.docker }
func (m madeOf) Pods() lab.Attachment { return m.pods }

type flannel struct {
	lab.Flannel
	version string
}

func (f flannel) Version() string { return f.version }
func (f flannel) String() string  { return "what plays flanneld's part" }

func TestStandIns(t *testing.T) {
	for name, c := range map[string]struct {
		lab  madeOf
		want []string
	}{
		"all is real":     {madeOf{flannel: "v0.28.10", docker: "dockerd 20.10.24", pods: lab.DockerBridge}, nil},
		"none is":         {madeOf{flannel: "v0.7.1", docker: lab.DockerRecorded, pods: lab.DockerBridge}, []string{"what plays flanneld's part", "recorded rules for dockerd"}},
		"nothing runs it": {madeOf{flannel: "v0.28.10", docker: lab.DockerRecorded, pods: lab.CNIBridge}, nil},
	} {
		if got := standIns(c.lab); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
