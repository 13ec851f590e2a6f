package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/netfault/netfault/framework/lab/netns"
	"github.com/netfault/netfault/framework/undo"
)

func newReset() *cobra.Command {
	return &cobra.Command{
		Use:   "reset",
		Short: "Undo every fault that is in force, and remove labs whose owner is gone",
		Long: `Clear up after a run that was killed: undo every fault whose journal is still there, and remove labs that belonged to a
process that is gone or that were never finished. Labs of 'netfault lab up' stay, healthy again; labs of a run that goes
on are left alone. It may be run at any time, and twice.`,
		Example: `  sudo netfault reset`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := needRoot(); err != nil {
				return err
			}
			names, err := netns.List()
			if err != nil {
				return err
			}
			var failed []error
			for _, name := range names {
				if err := resetLab(cmd, name); err != nil {
					failed = append(failed, fmt.Errorf("lab %s: %w", name, err))
				}
			}
			if len(names) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "there is no lab on this machine")
			}
			return errors.Join(failed...)
		},
	}
}

func resetLab(cmd *cobra.Command, name string) error {
	out := cmd.OutOrStdout()
	use, err := netns.UseOf(name)
	if err != nil {
		return err
	}
	switch use {
	case netns.Abandoned:
		if err := netns.Remove(cmd.Context(), name); err != nil {
			return err
		}
		fmt.Fprintf(out, "lab %s: removed; its owner is gone or it was never finished\n", name)
		return nil
	case netns.Owned:
		fmt.Fprintf(out, "lab %s: left alone; it belongs to a run that goes on\n", name)
		return nil
	}
	l, err := netns.Open(name)
	if err != nil {
		return err
	}
	j, err := undo.Read(l)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(out, "lab %s: no fault in force; `netfault lab down` removes it\n", name)
		return nil
	}
	if err != nil {
		return err
	}
	if err := undo.Undo(cmd.Context(), l); err != nil {
		return fmt.Errorf("%w\nwhat cannot be undone ends with the lab: `netfault lab down --lab=%s`", err, name)
	}
	fmt.Fprintf(out, "lab %s: %s is undone\n", name, j.Scenario)
	return nil
}
