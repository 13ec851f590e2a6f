package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/netfault/netfault/framework/lab/owner"
	"github.com/netfault/netfault/framework/labs"
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
			all, missing, err := labs.Look(cmd.Context())
			if err != nil {
				return err
			}
			if missing != "" {
				fmt.Fprintln(cmd.ErrOrStderr(), "netfault:", missing)
			}
			var failed []error
			for _, f := range all {
				if err := resetLab(cmd, f); err != nil {
					failed = append(failed, fmt.Errorf("lab %s: %w", f.Name, err))
				}
			}
			if len(all) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "there is no lab on this machine")
			}
			return errors.Join(failed...)
		},
	}
}

func resetLab(cmd *cobra.Command, f labs.Found) error {
	out, name := cmd.OutOrStdout(), f.Name
	use, err := f.Use()
	if err != nil {
		return err
	}
	switch use {
	case owner.Abandoned:
		if err := f.Remove(cmd.Context()); err != nil {
			return err
		}
		fmt.Fprintf(out, "lab %s: removed; its owner is gone or it was never finished\n", name)
		return nil
	case owner.Owned:
		fmt.Fprintf(out, "lab %s: left alone; it belongs to a run that goes on\n", name)
		return nil
	}
	l, err := f.Open(cmd.Context())
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
