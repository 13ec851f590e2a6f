package undo

import (
	"slices"
	"testing"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/kstate"
)

// What a remedy has taken away is told, and neither what it has changed nor what the fault took away.
func TestGone(t *testing.T) {
	state := func(change func(s *kstate.State, r *Recorded)) Recorded {
		s := kstate.State{
			Links:      []kstate.Link{{Name: "flannel.1", MAC: "0a:00:00:00:00:01"}},
			Routes:     []kstate.Row{{Object: "inet table 254 10.244.2.0/24 metric 0", Text: "via 10.244.2.0"}},
			Neighbours: []kstate.Row{{Object: "10.244.2.0 dev flannel.1", Text: "permanent lladdr 0a:00:00:00:00:02"}},
			FDB:        []kstate.Row{{Object: "0a:00:00:00:00:02 dev flannel.1", Text: "permanent self dst 172.18.0.12"}},
			IPTables:   []kstate.Table{{Program: "iptables-nft", Name: "filter", Text: "*filter\n:FORWARD ACCEPT [0:0]\n:FLANNEL-FWD - [0:0]\n-A FORWARD -j FLANNEL-FWD\nCOMMIT\n"}},
			Sysctls:    map[string]string{"net.ipv4.ip_forward": "1"},
		}
		r := Recorded{Flannel: []string{"n1"}, Leases: []evidence.Lease{{Node: "n1", PodCIDR: "10.244.1.0/24", VtepMAC: "0e:11"}}}
		change(&s, &r)
		r.Machines = map[string]agent.Recorded{"n1": {Network: s, Processes: []string{"flanneld"}}}
		return r
	}
	nothing := func(*kstate.State, *Recorded) {}
	for name, c := range map[string]struct {
		faulty, now func(s *kstate.State, r *Recorded)
		want        []string
	}{
		"nothing": {nothing, nothing, nil},
		"what the fault took away": {
			func(s *kstate.State, _ *Recorded) { s.Routes = nil }, func(s *kstate.State, _ *Recorded) { s.Routes = nil }, nil,
		},
		"what has changed": {nothing, func(s *kstate.State, r *Recorded) {
			s.Links[0].MAC, s.Neighbours[0].Text = "0a:00:00:00:00:09", "permanent lladdr 0a:00:00:00:00:08"
			s.FDB[0].Object = "0a:00:00:00:00:08 dev flannel.1"
			s.Sysctls = nil
			r.Leases[0].VtepMAC = "0e:22"
		}, nil},
		"rules": {
			nothing, func(s *kstate.State, _ *Recorded) { s.IPTables = nil },
			[]string{"n1: iptables iptables-nft filter -A FORWARD -j FLANNEL-FWD", "n1: iptables iptables-nft filter :FLANNEL-FWD - [0:0]"},
		},
		"the rest": {nothing, func(s *kstate.State, r *Recorded) {
			*s = kstate.State{IPTables: s.IPTables}
			r.Flannel, r.Leases = nil, nil
		}, []string{
			"flanneld on n1", "lease of n1 for 10.244.1.0/24", "n1: fdb dev flannel.1 permanent self dst 172.18.0.12", "n1: link flannel.1",
			"n1: neighbour 10.244.2.0 dev flannel.1", "n1: route inet table 254 10.244.2.0/24 metric 0",
		}},
	} {
		if got := Gone(state(nothing), state(c.faulty), state(c.now)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
