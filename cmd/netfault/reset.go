package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lab/netns"
	"github.com/netfault/netfault/framework/lab/owner"
	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/lock"
	"github.com/netfault/netfault/framework/undo"
)

func newReset() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Undo every fault that is in force, and remove labs whose owner is gone",
		Long: `Clear up after a run that was killed: undo every fault whose journal is still there, and remove labs that belonged to a
process that is gone or that were never finished. It says first what it is about to do, lab by lab. Labs of 'netfault lab up'
stay, healthy again; what another process is working on is left alone. It may be run at any time, and twice.`,
		Example: `  sudo netfault reset --lab=lab     one lab alone
  sudo netfault reset               all labs of this machine`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if name != "" {
				found, err := find(cmd.Context(), name)
				if err != nil {
					return err
				}
				return resetAll(cmd.Context(), cmd.OutOrStdout(), []labs.Found{found}, false)
			}
			if err := netns.NeedRoot(); err != nil {
				return err
			}
			all, missing, err := labs.Look(cmd.Context())
			if err != nil {
				return err
			}
			if missing != "" {
				fmt.Fprintln(cmd.ErrOrStderr(), "netfault:", missing)
			}
			if len(all) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "there is no lab on this machine")
			}
			return resetAll(cmd.Context(), cmd.OutOrStdout(), all, true)
		},
	}
	cmd.Flags().StringVar(&name, "lab", "", "which lab alone; without it, all labs of this machine")
	// The flag was registered in the line above.
	_ = cmd.RegisterFlagCompletionFunc("lab", completeLabs)
	return cmd
}

// resetAll says what is to be done to each lab, and then does it. A lab that another process works on is left alone; unless it is
// one of many, that is an error.
func resetAll(ctx context.Context, out io.Writer, all []labs.Found, many bool) error {
	var failed []error
	fail := func(f labs.Found, err error) {
		if err != nil {
			failed = append(failed, &labError{f.Name, err})
		}
	}
	var resets []reset
	var held []*lock.Lock
	for _, f := range all {
		k, err := f.Lock(ctx)
		taken, inUse := errors.AsType[*lock.TakenError](err)
		switch {
		case inUse && many:
			fmt.Fprintf(out, "lab %s: left alone; in use by %s\n", f.Name, taken.Holder)
			continue
		case inUse:
			return err
		case err != nil:
			fail(f, err)
			continue
		}
		r, err := plan(f, k)
		if err == nil && r.about != "" {
			fmt.Fprintf(out, "lab %s: %s\n", f.Name, r.about)
		}
		if err != nil || r.do == nil {
			fail(f, errors.Join(err, k.Release())) // nobody has to wait for what is done to others
			continue
		}
		held = append(held, k) // until all is done, so that nobody changes meanwhile what was said
		resets = append(resets, r)
	}
	for _, r := range resets {
		done, err := r.do(ctx)
		fail(r.found, err)
		if done != "" {
			fmt.Fprintf(out, "lab %s: %s\n", r.found.Name, done)
		}
	}
	for _, k := range held {
		failed = append(failed, k.Release())
	}
	return errors.Join(failed...)
}

// reset is what is to be done to a lab.
type reset struct {
	found labs.Found
	// about says it before; empty if nothing is changed.
	about string
	// do does it and says what was done, which may be something in spite of an error; nil if there is nothing to do.
	do func(context.Context) (string, error)
}

// plan says what is to be done to a lab whose lock is k.
func plan(f labs.Found, k *lock.Lock) (reset, error) {
	use, err := f.Use()
	if err != nil {
		return reset{}, err
	}
	switch use {
	case owner.Abandoned:
		return reset{f, "is to be removed; its owner is gone or it was never finished", func(ctx context.Context) (string, error) {
			if err := f.Remove(ctx); err != nil {
				return "", err
			}
			return "removed", nil
		}}, nil
	case owner.Owned:
		who, err := f.Owner()
		return reset{f, fmt.Sprintf("left alone; it belongs to %s, which runs", who), nil}, err
	}
	j, err := undo.ReadIn(f.StateDir())
	if errors.Is(err, fs.ErrNotExist) {
		return reset{f, "", func(ctx context.Context) (string, error) {
			l, err := f.Open(ctx)
			if err == nil {
				err = lab.Whole(ctx, l)
			}
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("no fault in force; `%s` removes it", lab.Command(f.Name, "lab down")), nil
		}}, nil
	}
	if err != nil {
		return reset{}, err
	}
	return reset{f, fmt.Sprintf("%s is to be undone, begun %s", j.Scenario, j.Begun.Local().Format("2006-01-02 15:04:05")), func(ctx context.Context) (string, error) {
		l, err := f.Open(ctx)
		if err == nil {
			err = undo.Undo(ctx, k.Of(l))
		}
		if err != nil {
			return "", fmt.Errorf("%w\nwhat cannot be undone ends with the lab: `%s`", err, lab.Command(f.Name, "lab down"))
		}
		return j.Scenario + " is undone", lab.Whole(ctx, l)
	}}, nil
}
