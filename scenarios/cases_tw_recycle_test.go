package scenarios_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"

	recycledetector "github.com/netfault/netfault/detectors/twrecycle"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/lab"
	twrecycle "github.com/netfault/netfault/scenarios/tw-recycle"
)

var _ = casesOf(recycledetector.Detector,
	// With one clock for all machines the setting drops nothing, so that there is nothing but the setting to see.
	setCase{
		"the setting alone", fault.Subject{Case: recycledetector.Setting, Node: "n1"},
		nil, func(ctx context.Context, l lab.Lab) error {
			if why := twrecycle.Scenario.Unavailable(l); why != "" {
				Skip(why)
			}
			silently := func(string) {}
			if err := twrecycle.OneClock(ctx, l, silently); err != nil {
				return err
			}
			return twrecycle.SwitchOn(ctx, l, silently)
		},
	},
)
