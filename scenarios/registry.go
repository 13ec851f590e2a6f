// Package scenarios lists the faults that netfault can bring about, one folder each.
package scenarios

import (
	"fmt"
	"strings"

	"github.com/netfault/netfault/framework/fault"
	dockerdipmasq "github.com/netfault/netfault/scenarios/dockerd-ip-masq"
	stalearp "github.com/netfault/netfault/scenarios/stale-arp"
	stalevtep "github.com/netfault/netfault/scenarios/stale-vtep"
	twrecycle "github.com/netfault/netfault/scenarios/tw-recycle"
	vtepleasedrift "github.com/netfault/netfault/scenarios/vtep-lease-drift"
)

// All returns every scenario, in the order in which they came to the project. A new fault adds its line here.
func All() []fault.Scenario {
	return []fault.Scenario{
		stalevtep.Scenario,
		vtepleasedrift.Scenario,
		dockerdipmasq.Scenario,
		twrecycle.Scenario,
		stalearp.Scenario,
	}
}

// ByName returns the scenario of that name.
func ByName(name string) (fault.Scenario, error) {
	var names []string
	for _, s := range All() {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return fault.Scenario{}, fmt.Errorf("there is no fault %q; there are: %s", name, strings.Join(names, ", "))
}
