package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/report"
	"github.com/netfault/netfault/framework/training"
	"github.com/netfault/netfault/scenarios"
)

func newTrain() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Find and heal a fault that you do not know, and learn from it",
		Long: `An exercise is a live network that is broken, and what the pager says of it. Log in to its machines, find the cause with the
tools that you would use at work, and heal it. 'check' says whether it is healed, and tells apart what only hides the symptom.`,
		Example: `  sudo netfault train start --random
  sudo netfault train shell host
  sudo netfault train check
  sudo netfault train debrief
  sudo netfault train stop`,
		Args: noArgs,
		RunE: helpOf,
	}
	cmd.AddCommand(newTrainList(), newTrainStart(), newTrainStatus(), newTrainShell(), newTrainHint(), newTrainCheck(), newTrainSolution(),
		newTrainDebrief(), newTrainReset(), newTrainStop(), newTrainScores(), newTrainServe(), newTrainValidate(), newTrainSolve())
	return cmd
}

// exercise is one with the fault that it is about.
type exercise struct {
	*training.Exercise
	scenario fault.Scenario
}

// exercises are all of them, in the order of the scenarios.
func exercises() ([]exercise, error) {
	read, err := training.Validate(scenarios.All(), all.Detectors())
	if err != nil {
		return nil, err
	}
	var list []exercise
	for i, s := range scenarios.All() {
		list = append(list, exercise{read[i], s})
	}
	return list, nil
}

// exerciseOf returns the exercise of that code.
func exerciseOf(code string) (exercise, error) {
	list, err := exercises()
	if err != nil {
		return exercise{}, err
	}
	var codes []string
	for _, e := range list {
		if e.Code == code {
			return e, nil
		}
		codes = append(codes, e.Code)
	}
	return exercise{}, usage(fmt.Errorf("there is no exercise %q; there are: %s", code, strings.Join(codes, ", ")))
}

// languageFlag adds the flag that says in which language exercises are told.
func languageFlag(cmd *cobra.Command, language *training.Language) {
	cmd.Flags().StringVar((*string)(language), "lang", string(training.English), "en or zh")
	// The flag was registered in the line above.
	_ = cmd.RegisterFlagCompletionFunc("lang", cobra.FixedCompletions([]string{"en", "zh"}, cobra.ShellCompDirectiveNoFileComp))
}

func checkLanguage(l training.Language) error {
	if !slices.Contains(training.Languages, l) {
		return usage(fmt.Errorf("--lang=%s: want en or zh", l))
	}
	return nil
}

func newTrainList() *cobra.Command {
	var language training.Language
	var spoilers bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the exercises, without saying what they are about",
		Example: `  netfault train list
  netfault train list --lang=zh
  netfault train list --spoilers`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkLanguage(language); err != nil {
				return err
			}
			list, err := exercises()
			if err != nil {
				return err
			}
			slices.SortStableFunc(list, func(a, b exercise) int {
				return cmp.Or(cmp.Compare(a.Difficulty, b.Difficulty), cmp.Compare(a.Code, b.Code))
			})
			columns := phrases[language].list
			if !spoilers {
				columns = columns[:4]
			}
			t := report.NewTable(cmd.OutOrStdout(), columns...)
			for _, e := range list {
				row := table.Row{e.Code, strings.Repeat("*", e.Difficulty), e.Minutes, onLabs(e)}
				if title := e.Text(language).Title; !strings.EqualFold(title, e.Code) {
					row[0] = e.Code + " " + title
				}
				if spoilers {
					row = append(row, e.scenario.Name, e.scenario.Summary)
				}
				t.AppendRow(row)
			}
			t.Render()
			return nil
		},
	}
	languageFlag(cmd, &language)
	cmd.Flags().BoolVar(&spoilers, "spoilers", false, "show the faults that they are about")
	return cmd
}

// onLabs are the kinds of labs that have the exercise.
func onLabs(e exercise) string {
	var all []string
	for _, k := range trainKinds {
		if e.On(k) {
			all = append(all, string(k))
		}
	}
	return strings.Join(all, ", ")
}

func newTrainValidate() *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "For authors: hold the texts of all exercises against their form",
		Long: `Read the texts of all exercises, in both languages, and say what is wrong with them, by file and line: what is missing or in the
wrong place, placeholders that stand for nothing, hints for what cannot be found, and words that give the fault away.
'netfault train solve' and the suite try on labs what they say.`,
		Example: `  netfault train validate`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := exercises()
			if err != nil {
				return err
			}
			ways := 0
			for _, e := range list {
				ways += len(e.Ways)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d exercises in %d languages, with %d ways beside the solutions: nothing is wrong with their texts\n",
				len(list), len(training.Languages), ways)
			return nil
		},
	}
}

func completeExercises(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	list, err := exercises()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var codes []string
	for _, e := range list {
		codes = append(codes, fmt.Sprintf("%s\tdifficulty %d, %d minutes", e.Code, e.Difficulty, e.Minutes))
	}
	return codes, cobra.ShellCompDirectiveNoFileComp
}
