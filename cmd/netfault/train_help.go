package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/report"
	"github.com/netfault/netfault/framework/training"
	"github.com/netfault/netfault/framework/training/page"
)

// attempts are all that there are of this user, the oldest first.
func attempts() (training.Store, []*training.Attempt, error) {
	store, err := training.OpenStore()
	if err != nil {
		return store, nil, err
	}
	all, err := store.All()
	return store, all, err
}

func newTrainHint() *cobra.Command {
	return &cobra.Command{
		Use:   "hint",
		Short: "Take the next hint, for points",
		Long: `Say one step more of what the network shows now: where to look, what is to be seen there, nearly the answer. Hints that were given
are told again for nothing as long as they hold. Where to look is not told who has looked there.`,
		Example: `  sudo netfault train hint`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, e, err := runningAsRoot()
			if err != nil {
				return err
			}
			hints, _, err := e.site(a).Hints(cmd.Context(), a.Language, true)
			if err != nil {
				return training.InLanguage(err, a.Language)
			}
			tellHints(cmd.OutOrStdout(), phrases[a.Language], hints)
			return nil
		},
	}
}

func tellHints(out io.Writer, say phrase, hints []training.Given) {
	if len(hints) == 0 {
		fmt.Fprintln(out, say.nothingToSee)
		return
	}
	for _, h := range hints {
		fmt.Fprintf(out, say.hintOf+"\n%s\n", h.Step, training.Steps, training.HintCost, indented(h.Text))
	}
	if hints[len(hints)-1].Free {
		fmt.Fprintln(out, say.noMoreHints)
	}
}

func indented(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }

func newTrainSolution() *cobra.Command {
	return &cobra.Command{
		Use:     "solution",
		Short:   "Show the commands that heal it, for half of the points",
		Example: `  netfault train solution`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, e, err := running()
			if err != nil {
				return err
			}
			log, err := a.Log() // as it was before this look, which costs
			if err != nil {
				return err
			}
			commands, err := e.site(a).Solution()
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if cost := log.SolutionLeft(); cost > 0 {
				fmt.Fprintf(out, phrases[a.Language].costs+"\n", cost)
			} else {
				fmt.Fprintln(out, phrases[a.Language].costsNothing)
			}
			for _, t := range commands {
				fmt.Fprintf(out, "  %s# %s\n", t.Machine, t.Command)
			}
			return nil
		},
	}
}

func newTrainDebrief() *cobra.Command {
	var giveUp bool
	cmd := &cobra.Command{
		Use:   "debrief",
		Short: "Tell what it was, hop by hop, and how you went about it",
		Long: `Tell what happened to a packet, with the addresses of your network; why it was hard to see; the incident behind it; how to prevent
and to monitor it; and your own time line. It is about the exercise that is running, or the last one.`,
		Example: `  netfault train debrief
  netfault train debrief --give-up`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, all, err := attempts()
			if err != nil {
				return err
			}
			if len(all) == 0 {
				return training.ErrNone
			}
			a := all[len(all)-1]
			e, err := exerciseOf(a.Code)
			if err != nil {
				return err
			}
			log, err := a.Log()
			if err != nil {
				return err
			}
			if log.Healed() == nil {
				if !giveUp {
					return errors.New(phrases[a.Language].notHealed)
				}
				if err := e.site(a).GiveUp(); err != nil {
					return err
				}
			}
			faulty, err := a.Faulty()
			if err != nil {
				return err
			}
			return tellDebrief(cmd.OutOrStdout(), a, e, faulty, log)
		},
	}
	cmd.Flags().BoolVar(&giveUp, "give-up", false, "also where the network is not healed, for as many points as the solution")
	return cmd
}

// debriefParts are the chapters of a debrief.
func debriefParts(say phrase, d training.Debrief) []page.Part {
	return []page.Part{{Heading: say.hops, Text: d.Hops}, {Heading: say.hard, Text: d.Hard}, {Heading: say.incident, Text: d.Incident}, {Heading: say.prevention, Text: d.Prevention}}
}

func tellDebrief(out io.Writer, a *training.Attempt, e exercise, f training.Faulty, log training.Log) error {
	d, say := e.Tell(a.Language, f, log), phrases[a.Language]
	fmt.Fprintf(out, "%s: %s\n", e.Text(a.Language).Title, e.scenario.Name)
	for _, part := range debriefParts(say, d) {
		fmt.Fprintf(out, "\n%s\n%s\n", part.Heading, indented(part.Text))
	}
	fmt.Fprintf(out, "\n%s\n", say.timeLine)
	for _, m := range d.Moments {
		switch {
		case m.Entry == nil:
			fmt.Fprintf(out, "  %8s  %s\n", "", m.What[a.Language]+": "+say.notSeen)
		case m.Entry.Kind == training.Ran:
			typed := detectors.Command{Argv: m.Entry.Argv}
			fmt.Fprintf(out, "  %8s  %s: %s# %s\n", m.After.Round(time.Second), m.What[a.Language], m.Entry.Machine, typed)
		default:
			fmt.Fprintf(out, "  %8s  %s\n", m.After.Round(time.Second), m.What[a.Language])
		}
	}
	sessions, err := a.Sessions()
	if err != nil {
		return err
	}
	if len(sessions) > 0 {
		fmt.Fprintf(out, "\n%s\n", say.sessions)
		for _, one := range sessions {
			fmt.Fprintf(out, "  %s\n", one.File)
		}
	}
	fmt.Fprintf(out, "\n"+say.writeup+"\n", e.scenario.Name)
	return nil
}

func newTrainScores() *cobra.Command {
	return &cobra.Command{
		Use:     "scores",
		Short:   "List your attempts, with the points of those that were healed",
		Example: `  netfault train scores`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, all, err := attempts()
			if err != nil {
				return err
			}
			say := phrases[training.English]
			if len(all) > 0 {
				say = phrases[all[len(all)-1].Language]
			}
			t := report.NewTable(cmd.OutOrStdout(), say.scores...)
			total := 0
			for _, a := range slices.Backward(all) {
				log, err := a.Log()
				if err != nil {
					return err
				}
				if log.Began().IsZero() {
					continue
				}
				hints, solution := log.Help()
				points, seen := say.unhealed, ""
				if log.Healed() != nil {
					points = fmt.Sprint(log.Points())
					total += log.Points()
				}
				if solution {
					seen = say.seen
				}
				t.AppendRow(table.Row{log.Began().Local().Format("2006-01-02 15:04"), a.Code, points, log.Took().Round(time.Second), hints, seen, a.Seed})
			}
			t.Render()
			fmt.Fprintf(cmd.OutOrStdout(), say.total+"\n", total, filepath.Clean(store.Dir))
			return nil
		},
	}
}
