package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/netfault/netfault/framework/lab/netns"
	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/training"
)

// solveRounds is how often a solution is tried, each time from a fresh start: one that works once may have been lucky.
const solveRounds = 2

func newTrainSolve() *cobra.Command {
	var name string
	var kind labs.Kind
	cmd := &cobra.Command{
		Use:   "solve CODE",
		Short: "For authors: type the solution of an exercise into a terminal, and check",
		Long: `Start an exercise, type its solution into shells on its machines, as a learner would, and check. It must be broken before and healed
after, twice from a fresh start, from other seeds. Every command must succeed. It is no attempt of yours, and leaves nothing.`,
		Example: `  sudo netfault train solve lisbon
  sudo netfault train solve lisbon --kind=kind`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one exercise; `netfault train list` lists them")
			}
			return nil
		},
		ValidArgsFunction: completeExercises,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkTrainKind(kind); err != nil {
				return err
			}
			e, err := exerciseOf(args[0])
			if err != nil {
				return err
			}
			if err := e.mustBeOn(kind); err != nil {
				return err
			}
			if err := netns.NeedRoot(); err != nil {
				return err
			}
			dir, remove, err := interruptionOf(cmd.Context()).tempDir()
			if err != nil {
				return err
			}
			defer remove()
			for seed := range uint64(solveRounds) {
				a, err := (training.Store{Dir: dir}).Create(training.Attempt{Code: e.Code, Seed: seed, Lab: name, Kind: kind, Language: training.English})
				if err != nil {
					return err
				}
				interruptionOf(cmd.Context()).about(name)
				if err := solve(cmd, e, a); err != nil {
					return fmt.Errorf("round %d of %d: %w", seed+1, solveRounds, err)
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is healed by its solution, %d times of %d\n", e.Code, solveRounds, solveRounds)
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "site", "site-solve", "name of the lab")
	trainKindFlag(cmd, &kind)
	return cmd
}

// solve makes an exercise's lab, heals it by the solution, and removes it.
func solve(cmd *cobra.Command, e exercise, a *training.Attempt) (err error) {
	ctx, s := cmd.Context(), e.site(a)
	if err := s.Build(ctx, tellSteps(cmd.ErrOrStderr(), a.Language)); err != nil {
		return training.Behind(err)
	}
	defer func() {
		err = errors.Join(err, s.Remove(context.WithoutCancel(ctx)), a.Add(training.Entry{Kind: training.Stopped}))
	}()
	if err := mustBe(ctx, s, training.Broken); err != nil {
		return err
	}
	faulty, err := a.Faulty()
	if err != nil {
		return err
	}
	commands := faulty.Values.Type(e.Solution)
	for len(commands) > 0 {
		on := commands[0].Machine
		// A shell that is told so ends with the first command that fails.
		typed := "set -e\n"
		for len(commands) > 0 && commands[0].Machine == on {
			typed += commands[0].Command + "\n"
			commands = commands[1:]
		}
		m, err := machineOfSite(ctx, s, on)
		if err != nil {
			return err
		}
		err = login(ctx, a, m, outerTerminal{in: strings.NewReader(typed + "exit\n"), out: withoutReturns{cmd.OutOrStdout()}, term: "dumb", fd: -1})
		if code, failed := errors.AsType[exitCode](err); failed {
			return fmt.Errorf("a command on %s failed with exit code %d", on, int(code))
		}
		if err != nil {
			return err
		}
	}
	return mustBe(ctx, s, training.Healed)
}

// mustBe wants a check to come to that.
func mustBe(ctx context.Context, s *training.Site, want training.Verdict) error {
	c, err := s.Open(ctx)
	if err != nil {
		return err
	}
	got, err := c.Check(ctx)
	if err = errors.Join(err, c.Life.Lab.Release()); err != nil {
		return err
	}
	if got.Verdict != want {
		var lines []string
		for _, line := range got.Lines {
			lines = append(lines, line[training.English])
		}
		return fmt.Errorf("check says %q, want %q: %s", got.Verdict, want, strings.Join(lines, "; "))
	}
	return nil
}

// withoutReturns shows what a terminal does where there may be none.
type withoutReturns struct{ io.Writer }

// Write leaves out what only terminals understand: the carriage returns.
func (s withoutReturns) Write(p []byte) (int, error) {
	_, err := io.WriteString(s.Writer, strings.ReplaceAll(string(p), "\r", ""))
	return len(p), err
}
