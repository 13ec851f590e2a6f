package noise

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
)

type named struct {
	machine.Machine
	name string
}

func (n named) Name() string { return n.name }

// nodes is a lab whose nodes are in that order.
type nodes struct {
	lab.Lab
	all []lab.Node
}

func (n nodes) Nodes() []lab.Node { return n.all }

func TestOf(t *testing.T) {
	var l nodes
	for i := range 3 {
		l.all = append(l.all, lab.Node{Machine: named{name: fmt.Sprintf("m%d", i)}, Address: netip.AddrFrom4([4]byte{172, 20, 1, byte(11 + i)})})
	}
	turned := nodes{all: slices.Clone(l.all)}
	slices.Reverse(turned.all)
	drawn := map[string]bool{}
	for seed := range uint64(200) {
		all := Of(seed, l)
		if !reflect.DeepEqual(all, Of(seed, l)) || !reflect.DeepEqual(all, Of(seed, turned)) {
			t.Fatalf("seed %d: one time so, and another otherwise", seed)
		}
		alarms := 0
		for _, o := range all {
			if o.Alarm != "" {
				alarms++
			}
			_, what, _ := strings.Cut(o.About, ": ")
			drawn[strings.Join(strings.Fields(what)[:3], " ")] = true
		}
		if alarms != 1 || len(all) < 3 || len(all) > 5 {
			t.Errorf("seed %d: %d alarms, %d oddities", seed, alarms, len(all))
		}
	}
	if len(drawn) != len(kinds) {
		t.Errorf("%d kinds are drawn, there are %d: %v", len(drawn), len(kinds), drawn)
	}
}
