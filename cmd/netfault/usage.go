package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/netfault/netfault/detectors"
)

// usageError is that of a command that was written wrongly.
type usageError struct{ error }

// Unwrap returns what was wrong.
func (e usageError) Unwrap() error { return e.error }

// usage marks an error as one of usage.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

// tellUsageErrors makes every error of cmd and its subcommands that comes before one begins (of arguments, flags and
// their combination) one of usage. Cobra gives those no type of their own.
func tellUsageErrors(cmd *cobra.Command, begun *bool) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(c *cobra.Command, args []string) error {
			*begun = true
			return run(c, args)
		}
	}
	for _, sub := range cmd.Commands() {
		tellUsageErrors(sub, begun)
	}
}

// exitCodeOf returns the exit code for an error of a command that had begun or not.
func exitCodeOf(err error, begun bool) int {
	_, wrong := errors.AsType[usageError](err)
	if wrong || !begun {
		return detectors.ExitUsage
	}
	return errorCode
}
