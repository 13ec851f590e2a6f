package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/netfault/netfault/framework/training"
)

func newTrainCheck() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say whether the network is healed, and how well",
		Long: `Judge the network by what it does, never by what was typed. It is still broken; or lucky, where traffic passes and the cause is still
there, which is shown by letting it come back; or damaged, where something else is gone that was there; or healed. Whatever
heals is right.

Exit codes: 0 healed, 1 broken, lucky or damaged, 2 unknown or error, 64 wrong usage.`,
		Example: `  sudo netfault train check
  sudo netfault train check -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			a, e, err := runningAsRoot()
			if err != nil {
				return err
			}
			result, log, err := e.site(a).Judge(cmd.Context())
			if err != nil {
				return training.InLanguage(err, a.Language)
			}
			if output == "json" {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				err = enc.Encode(result)
			} else {
				tellResult(cmd.OutOrStdout(), a.Language, result, log)
			}
			if err == nil && result.Verdict != training.Healed {
				return exitCode(1)
			}
			return err
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

// maxLines is how many lines of a verdict are shown: of a cluster that is cut in two, there are dozens.
const maxLines = 12

func tellResult(out io.Writer, language training.Language, r training.Result, log training.Log) {
	says, lines := resultLines(language, r, log)
	fmt.Fprintln(out, says)
	for _, line := range lines {
		fmt.Fprintln(out, "  "+line)
	}
}

// resultLines are a verdict in words, and why, line by line.
func resultLines(language training.Language, r training.Result, log training.Log) (says string, lines []string) {
	say := phrases[language]
	says = say.verdicts[r.Verdict]
	switch {
	case r.Event != nil:
		says += "\n" + fmt.Sprintf(say.itHappens, r.Event[language])
	case r.Verdict == training.Lucky:
		says += "\n" + say.hidden
	case r.Verdict == training.Healed:
		hints, _ := log.Help()
		says += "\n" + fmt.Sprintf(say.points, log.Took().Round(time.Second), hints, log.Points(), training.Full)
	}
	for _, line := range r.Lines[:min(len(r.Lines), maxLines)] {
		lines = append(lines, line[language])
	}
	if more := len(r.Lines) - maxLines; more > 0 {
		lines = append(lines, fmt.Sprintf(say.alsoBroken, more))
	}
	return says, lines
}
