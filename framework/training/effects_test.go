package training

import (
	"strings"
	"testing"

	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/kstate"
	"github.com/netfault/netfault/framework/undo"
)

func recorded(routes ...string) undo.Recorded {
	var s kstate.State
	for _, r := range routes {
		object, text, _ := strings.Cut(r, ": ")
		s.Routes = append(s.Routes, kstate.Row{Object: object, Text: text})
	}
	return undo.Recorded{Machines: map[string]agent.Recorded{"n1": {Network: s}}}
}

func TestWhatIsGoneAndWhatIsPaintedOver(t *testing.T) {
	const own, other, past = "10.2.0.0/24: protocol 3 via 10.2.0.0 dev flannel.1 flags 0x4", "10.3.0.0/24: via 10.3.0.0 dev flannel.1",
		"10.2.0.0/24: protocol 3 via 192.168.100.12 dev eth0"
	for _, c := range []struct {
		name                string
		before, faulty, now undo.Recorded
		noise               map[string][]string
		want                string
	}{
		{"nothing", recorded(own, other), recorded(other), recorded(own, other), nil, ""},
		{"written by another program", recorded(own), recorded(), recorded("10.2.0.0/24: protocol 16 via 10.2.0.0 dev flannel.1"), nil, ""},
		{"what the fault took away stays away", recorded(own, other), recorded(other), recorded(other), nil, ""},
		{"a route is gone", recorded(own, other), recorded(own, other), recorded(own), nil, "gone, and was there before: n1: route 10.3.0.0/24"},
		{"a route leads past", recorded(own), recorded(own), recorded(past), nil, "packets of n1 take a way that was not there before"},
		{"a way that the fault itself made", recorded(own), recorded(own, past), recorded(own, past), nil, ""},
		{"a way that came with noise", recorded(own), recorded(own), recorded(own, past), newWays(recorded(own, past), recorded(own)), ""},
		{"a way beside that of noise", recorded(own), recorded(own), recorded(own, past), newWays(recorded(own, other), recorded(own)), "packets of n1"},
	} {
		got := damage(c.before, Faulty{Recorded: c.faulty, NoiseWays: c.noise}, c.now)
		switch {
		case c.want == "" && len(got) > 0, c.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0][English], c.want) || got[0][Chinese] == ""):
			t.Errorf("%s: %v, want %q", c.name, got, c.want)
		}
	}
}
