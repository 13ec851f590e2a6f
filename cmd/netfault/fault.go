package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lock"
	"github.com/netfault/netfault/framework/report"
	"github.com/netfault/netfault/framework/undo"
	"github.com/netfault/netfault/scenarios"
)

func newFault() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fault",
		Short: "Bring a fault about on a lab, and heal it",
		Example: `  netfault fault list
  sudo netfault fault inject stale-vtep
  sudo netfault fault heal`,
		Args: noArgs,
		RunE: helpOf,
	}
	cmd.AddCommand(newFaultList(), newFaultInject(), newFaultHeal())
	return cmd
}

func newFaultList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the faults, and the detector that recognises each",
		Example: `  netfault fault list`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t := report.NewTable(cmd.OutOrStdout(), "fault", "detector", "embedded lab", "what it is")
			for _, s := range scenarios.All() {
				t.AppendRow(table.Row{s.Name, s.Detector.Name, cmp.Or(strings.Join(s.Needs(), " "), "any"), s.Summary})
			}
			t.Render()
			return nil
		},
	}
}

func newFaultInject() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "inject NAME",
		Short: "Bring a fault about by its real cause, and prove that it is there",
		Long: `Bring a fault about on a lab that is healthy. First the lab's state is recorded, so that everything can be undone; at
the end probes have seen the symptom, and the fault's detector has recognised it. If anything fails, or on Ctrl-C, what
was done so far is undone.`,
		Example: `  sudo netfault fault inject stale-vtep
  sudo netfault lab shell n2 -- ip neigh show dev flannel.1
  sudo netfault fault heal`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one fault; `netfault fault list` lists them")
			}
			return nil
		},
		ValidArgsFunction: completeFaults,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := scenarios.ByName(args[0])
			if err != nil {
				return usage(err)
			}
			l, err := hold(cmd.Context(), name)
			if err != nil {
				return err
			}
			return errors.Join(inject(cmd, l, s), l.Release())
		},
	}
	labFlag(cmd, &name)
	return cmd
}

func newFaultHeal() *cobra.Command {
	var name, remedy string
	cmd := &cobra.Command{
		Use:   "heal",
		Short: "Run the finding's remedy, prove the recovery, and undo what is left",
		Long: `Heal the fault that is in force: show that what people try first does not help, run the remedy that the detector
names, prove with probes that packets arrive again, and bring the lab's state back to what it was before. Where the
remedy, or a part of it, was run by hand already, nothing is tried, and no remedy is run that is not needed any more.`,
		Example: `  sudo netfault fault heal
  sudo netfault fault heal --remedy="flanneld masquerades"`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := hold(cmd.Context(), name)
			if err != nil {
				return err
			}
			return errors.Join(heal(cmd, l, remedy), l.Release())
		},
	}
	labFlag(cmd, &name)
	cmd.Flags().StringVar(&remedy, "remedy", "", "run this one of the finding's other remedies, as 'netfault detect' names it, in place of the first")
	// The flag was registered in the line above.
	_ = cmd.RegisterFlagCompletionFunc("remedy", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var names []string
		for _, s := range scenarios.All() {
			names = append(names, s.Alternatives...)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

func inject(cmd *cobra.Command, l *lock.Held, s fault.Scenario) error {
	if why := s.Missing(l); why != "" {
		return fmt.Errorf("%s cannot come about here: %s", s.Name, why)
	}
	if err := undo.None(l); err != nil {
		return err
	}
	if err := lab.Whole(cmd.Context(), l); err != nil {
		return err
	}
	life := newLife(cmd, l, s)
	if _, err := life.Run(cmd.Context(), life.Inject()...); err != nil {
		return undoAfter(cmd, l, undo.UndoOwn, err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "\n%s is in force. `%s` shows the findings, `%s` runs the remedy.\n",
		s.Name, lab.Command(l.Name(), "detect"), lab.Command(l.Name(), "fault heal"))
	return nil
}

func heal(cmd *cobra.Command, l *lock.Held, remedy string) error {
	j, err := undo.Read(l)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no fault is in force on %s", l.Name())
	}
	if err != nil {
		return err
	}
	s, err := scenarios.ByName(j.Scenario)
	if err != nil {
		return err
	}
	if remedy != "" && !slices.Contains(s.Alternatives, remedy) {
		return usage(fmt.Errorf("%s has no remedy %q beside its first; it has: %q", s.Name, remedy, s.Alternatives))
	}
	life := newLife(cmd, l, s)
	life.Remedy = remedy
	_, err = life.Heal(cmd.Context())
	switch {
	case err != nil && cmd.Context().Err() != nil:
		return undoAfter(cmd, l, undo.Undo, err)
	case err != nil:
		return fmt.Errorf("%w\nthe fault's journal is kept: `%s` undoes it without the remedy", err, lab.Command(l.Name(), "reset"))
	}
	return nil
}

// undoAfter undoes the fault whose life ended with err.
func undoAfter(cmd *cobra.Command, l *lock.Held, undo func(context.Context, *lock.Held) error, err error) error {
	fmt.Fprintln(cmd.OutOrStdout(), "undoing what was done so far")
	if undoErr := undo(context.WithoutCancel(cmd.Context()), l); undoErr != nil {
		return fmt.Errorf("%w\nnot all could be undone: %w\n`%s` tries again", err, undoErr, lab.Command(l.Name(), "reset"))
	}
	if cmd.Context().Err() != nil {
		return errors.New("interrupted; everything is undone")
	}
	return err
}

func newLife(cmd *cobra.Command, l *lock.Held, s fault.Scenario) *fault.Life {
	return &fault.Life{
		Lab: l, Scenario: s, Detectors: all.Detectors(), Bundles: filepath.Join(l.StateDir(), "bundles"),
		Tool: "netfault " + version(), Reporter: report.NewConsole(cmd.OutOrStdout()),
	}
}
