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

// checkHelp makes --help of words that are no command an error, which cobra takes for --help of the command before them. The error
// is that of noArgs, and is to be had once the command was executed.
func checkHelp(root *cobra.Command) func() error {
	var wrong error
	help := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
			wrong = usage(noArgs(cmd, words))
			return
		}
		help(cmd, args)
	})
	return func() error { return wrong }
}
