package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// helpOf is what a command prints that only has others below it.
func helpOf(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// newHelp is cobra's own help command, but for words that are no command, for which that exits 0.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:               "help [COMMAND]",
		Short:             "Help about any command",
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usage(fmt.Errorf("%q is not a command of netfault; `netfault --help` lists them", strings.Join(args, " ")))
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}
