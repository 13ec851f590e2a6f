package undo

import (
	"slices"
	"testing"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/agent"
)

func TestDiff(t *testing.T) {
	before := func() Recorded {
		return Recorded{
			Machines: map[string]agent.Recorded{"n1": {Processes: []string{"agent", "flanneld"}}},
			Flannel:  []string{"n1"},
			Leases:   []evidence.Lease{{Node: "n1", PodCIDR: "10.244.1.0/24", PublicIP: "192.168.100.11", VtepMAC: "0e:11"}},
		}
	}
	for name, c := range map[string]struct {
		change func(*Recorded)
		want   []string
	}{
		"nothing": {func(*Recorded) {}, nil},
		"a process is gone": {
			func(r *Recorded) { r.Machines["n1"] = agent.Recorded{Processes: []string{"agent"}} },
			[]string{"n1: process flanneld: gone"},
		},
		"a process more": {
			func(r *Recorded) {
				r.Machines["n1"] = agent.Recorded{Processes: []string{"agent", "flanneld", "tcpdump"}}
			},
			[]string{"n1: process tcpdump: was not there before"},
		},
		"a process twice": {
			func(r *Recorded) {
				r.Machines["n1"] = agent.Recorded{Processes: []string{"agent", "flanneld", "flanneld"}}
			},
			[]string{"n1: process: 2 before, 3 now"},
		},
		"flanneld stopped": {func(r *Recorded) { r.Flannel = nil }, []string{"flanneld on n1: gone"}},
		"another lease": {
			func(r *Recorded) { r.Leases[0].VtepMAC = "0e:22" },
			[]string{"lease n1 10.244.1.0/24 192.168.100.11 0e:11: gone", "lease n1 10.244.1.0/24 192.168.100.11 0e:22: was not there before"},
		},
	} {
		got := before()
		c.change(&got)
		if lines := Diff(before(), got); !slices.Equal(lines, c.want) {
			t.Errorf("%s: %q, want %q", name, lines, c.want)
		}
	}
}
