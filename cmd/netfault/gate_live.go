package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/netfault/netfault/framework/gate"
	"github.com/netfault/netfault/framework/gate/live"
	"github.com/netfault/netfault/framework/lab/netns"
	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/progress"
	"github.com/netfault/netfault/scenarios"
)

// recordedKind is what --kind of the gate is for the bundles of a checkout; else it is a kind of lab.
const recordedKind = "recorded"

// gateKinds are what --kind of the gate can be.
var gateKinds = []string{recordedKind, string(labs.Netns), string(labs.KIND)}

// fromLabs fills the gate with bundles of labs, which it makes and removes. With --out they stay there, to be looked at. end removes
// what must not stay.
func (f *gateFlags) fromLabs(cmd *cobra.Command, g *gate.Gate) (end func(), err error) {
	if labs.Kind(f.kind) == labs.Netns {
		if err := netns.NeedRoot(); err != nil {
			return nil, err
		}
	}
	dir, end := filepath.Join(f.out, "bundles"), func() {}
	if f.out == "" {
		if dir, end, err = interruptionOf(cmd.Context()).tempDir(); err != nil {
			return nil, err
		}
	} else if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	board, stop := progress.Start(cmd.ErrOrStderr())
	defer stop()
	on := live.Labs{
		Kind: labs.Kind(f.kind), Name: fmt.Sprintf("gate-%d", os.Getpid()), Scenarios: scenarios.All(), Dir: dir, Tool: "netfault " + version(), Board: board,
	}
	taken, err := on.Take(cmd.Context())
	if err == nil && len(taken.Sources) == 0 {
		err = errors.New("no fault came about: " + firstWhy(taken))
	}
	if err == nil && f.pairs {
		var pairs live.Taken
		pairs, err = on.Pairs(cmd.Context())
		taken.Add(pairs)
	}
	if err == nil && f.runRemedies {
		var tried live.Taken
		tried, err = on.Try(cmd.Context(), g.Detectors, g.Judge)
		taken.Add(tried)
	}
	if err != nil {
		end()
		return nil, fmt.Errorf("the gate on labs of the kind %s: %w", f.kind, err)
	}
	g.Sources, g.Skipped, g.Unreached, g.Remedied = taken.Sources, taken.Skipped, taken.Unreached, taken.Remedied
	return end, nil
}

// firstWhy is a reason why there is nothing.
func firstWhy(t live.Taken) string {
	for _, a := range append(t.Unreached, t.Skipped...) {
		return a.Bundle.String() + ": " + a.Why
	}
	return "there is none"
}
