package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/detectors/evidence"
)

// judgement is how a bundle is judged: what is suppressed, and what counts as a failure.
type judgement struct {
	failOn       detectors.FailOn
	suppress     []string
	suppressions string

	known []detectors.Suppression
}

func (j *judgement) flags(cmd *cobra.Command) {
	var names []string
	for _, on := range detectors.FailOns {
		names = append(names, string(on))
	}
	cmd.Flags().StringVar((*string)(&j.failOn), "fail-on", string(detectors.FailOnUnknown),
		"from what on the exit code is not 0: unknown, problem, critical or never")
	cmd.Flags().StringArrayVar(&j.suppress, "suppress", nil, `a finding that does not count: "ID-PATTERN until YYYY-MM-DD: REASON"`)
	cmd.Flags().StringVar(&j.suppressions, "suppressions", "", "file with suppressions, one a line")
	// The flags were registered in the lines above.
	_ = cmd.RegisterFlagCompletionFunc("fail-on", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.MarkFlagFilename("suppressions")
}

// check reads the flags.
func (j *judgement) check() error {
	if !slices.Contains(detectors.FailOns, j.failOn) {
		return usage(fmt.Errorf("--fail-on=%s: want one of %q", j.failOn, detectors.FailOns))
	}
	for _, text := range j.suppress {
		s, err := detectors.ParseSuppression(text)
		if err != nil {
			return usage(fmt.Errorf("--suppress: %w", err))
		}
		j.known = append(j.known, s)
	}
	if j.suppressions == "" {
		return nil
	}
	f, err := os.Open(j.suppressions)
	if err != nil {
		return usage(err)
	}
	defer f.Close()
	read, err := detectors.ReadSuppressions(f, j.suppressions)
	j.known = append(j.known, read...)
	return usage(err)
}

// report judges a bundle with all detectors.
func (j *judgement) report(ctx context.Context, b *evidence.Bundle) detectors.Report {
	r := detectors.Run(ctx, b, all.Detectors())
	r.Suppress(j.known, time.Now())
	return r
}
