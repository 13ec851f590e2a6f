package fault

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/drops"
	"github.com/netfault/netfault/framework/lab"
)

// dropOn is a packet between the nodes of the fake that died on a machine.
func dropOn(machine, reason, from, to string) dropped {
	return dropped{machine, drops.Drop{
		Interface: "flannel.1", Reason: reason,
		Packet: drops.Packet{Source: netip.MustParseAddrPort(from), Destination: netip.MustParseAddrPort(to), Protocol: unix.IPPROTO_TCP},
	}}
}

// The requests of n2 and n1's answers: what both of the fake's lost probes have.
var (
	request = dropOn("n1", "OTHERHOST", "192.168.7.2:40000", "192.168.7.1:8080")
	answer  = dropOn("n1", "OTHERHOST", "192.168.7.2:8080", "192.168.7.1:40000")
)

func onN1(lab.Lab) []Death { return []Death{{"n1", drops.WrongLinkAddress}} }

// Where packets die is the kernel's word: no detector can make a life pass whose packets die elsewhere than the scenario says.
func TestPacketsDieWhereTheScenarioSays(t *testing.T) {
	noise := []dropped{
		dropOn("n2", "NO_SOCKET", "192.168.7.2:40000", "192.168.7.1:9999"),   // another port
		dropOn("n2", "NO_SOCKET", "192.168.7.9:8080", "192.168.7.1:40000"),   // nobody's address
		dropOn("n1", "QUEUE_PURGE", "192.168.7.2:40000", "192.168.7.1:8080"), // had arrived
	}
	all := append(noise, request, answer, answer)
	for _, test := range []struct {
		name   string
		drops  []dropped
		deaths func(lab.Lab) []Death
		fails  string
	}{
		{"where it says", all, onN1, ""},
		{"on another node", []dropped{request, answer}, func(lab.Lab) []Death { return []Death{{"n2", drops.WrongLinkAddress}} },
			"must die on n2 (wrong link address), as the scenario declares, but: the kernel of n1 at flannel.1 drops"},
		{"for another reason", []dropped{dropOn("n1", "NETFILTER_DROP", "192.168.7.2:40000", "192.168.7.1:8080"), answer}, onN1, "packet filter (NETFILTER_DROP)"},
		{"also elsewhere", append(slices.Clone(all), dropOn("n2", "IP_RPFILTER", "192.168.7.1:8080", "192.168.7.2:40000")), onN1, "reverse path filter"},
		{"and a late packet of a connection that was over", append(slices.Clone(all), dropOn("n1", "NOT_SPECIFIED", "192.168.7.2:40000", "192.168.7.1:8080")), onN1, ""},
		{"for no named reason", []dropped{request, dropOn("n1", "NOT_SPECIFIED", "192.168.7.2:8080", "192.168.7.1:40000")}, onN1, "no packet of pod n1 → n2 was seen to be dropped"},
		{"where nobody sees it", noise, onN1, "nothing dies on n1 (wrong link address)"},
		{"one of two, and the other unseen", []dropped{request}, onN1, "no packet of pod n1 → n2 was seen to be dropped"},
		{"one of two, and the other beyond the lab", []dropped{request}, func(l lab.Lab) []Death { return append(onN1(l), Elsewhere) }, ""},
		{"in a state that was set by hand", all, func(lab.Lab) []Death { return []Death{Anywhere} }, ""},
		{"although nothing is to die", all, nil, "must die nowhere"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f := newFake()
				f.drops = test.drops
				l := f.life(t)
				l.Scenario.Deaths = test.deaths
				done, err := l.Run(t.Context(), l.Inject()...)
				switch {
				case test.fails == "" && err != nil:
					t.Fatal(err)
				case test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)):
					t.Fatalf("%v, want %q", err, test.fails)
				case test.name == "on another node":
					// What was seen is kept of a step that fails, too.
					if d := done[3].Deaths; d == nil || len(d.Drops) != 1 {
						t.Errorf("the result is %+v", d)
					}
				case test.name == "where it says":
					d := done[3].Deaths
					if d == nil || len(d.Drops) != 1 || d.Drops[0].Packets != 3 || len(d.Drops[0].Lost) != 2 || d.Drops[0].From != "n2" {
						t.Errorf("the result is %+v", d)
					}
				}
			})
		})
	}
}

// A kernel that does not tell is said not to, and fails nothing.
func TestDeathsThatCannotBeMeasured(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		l := f.life(t)
		l.Scenario.Deaths = onN1
		done, err := l.Run(t.Context(), l.Inject()...)
		if err != nil {
			t.Fatal(err)
		}
		if d := done[3].Deaths; d == nil || d.NotMeasured != "the kernel is silent" {
			t.Errorf("the result is %+v", d)
		}
		if text := strings.Join(done[3].Details, "\n"); !strings.Contains(text, "where packets die was not measured: the kernel is silent") {
			t.Errorf("it is not said: %s", text)
		}
	})
}

// Behind NAT, packets have the address of another node than the one that they come from.
func TestLostBehindNAT(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		f.onlyExercise = true
		f.drops = []dropped{dropOn("n1", "TC_INGRESS", "192.168.7.1:40000", "192.168.7.1:8081")}
		l := f.life(t)
		l.Scenario.MustFail, l.Scenario.Deaths = nil, func(lab.Lab) []Death { return []Death{{"n1", drops.TrafficControl}} }
		l.Scenario.Exercise = func(context.Context, lab.Lab) (Seen, error) {
			if !f.broken {
				return Seen{}, nil
			}
			return Seen{Broken: []string{"a call"}, Lost: []Lost{{From: "n2", Behind: "n1", To: "n1", What: "a call", Ports: []uint16{8081}}}}, nil
		}
		done, err := l.Run(t.Context(), l.Inject()...)
		if err != nil {
			t.Fatal(err)
		}
		if d := done[3].Deaths.Drops[0]; d.From != "n2" || d.To != "n1" {
			t.Errorf("%+v", d)
		}
	})
}
