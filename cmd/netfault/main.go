// Command netfault breaks a real flannel network in known ways, recognises what is broken from recorded evidence, and
// heals it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/netfault/netfault/framework/engine"
	"github.com/netfault/netfault/framework/lab"
)

// exitCode is an error that has been told already and only sets the exit code.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// errorCode is the exit code of every error but those of usage: 2, so that 1 always means "problem found".
const errorCode = 2

func main() { os.Exit(execute()) }

func execute() int {
	ctx, interrupted := withInterruption(context.Background())
	ctx = engine.Telling(ctx, func(what string) { fmt.Fprintln(os.Stderr, "netfault:", what) })
	root, begun := newRoot(), false
	tellUsageErrors(root, &begun)
	helped := checkHelp(root)
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = helped()
	}
	code, told := errors.AsType[exitCode](err)
	if err != nil && !told {
		fmt.Fprintln(os.Stderr, "netfault:", err)
	}
	if signalled, ended := interrupted.exitCode(err); ended {
		return signalled
	}
	switch {
	case err == nil:
		return 0
	case told:
		return int(code)
	}
	return exitCodeOf(err, begun)
}

// version is the module's version, or the commit that it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return info.Main.Version
}

func newRoot() *cobra.Command {
	var printVersion bool
	root := &cobra.Command{
		Use:   "netfault",
		Short: "Break a real flannel network, recognise what is broken, and heal it",
		Long: `netfault brings real network faults of Kubernetes clusters about, on a lab of its own: real flanneld, real etcd,
real packets. Its detectors recognise each fault from recorded evidence, of the lab or of any cluster, and name the
commands that heal it.`,
		Example: `  sudo netfault lab up                       make a lab of three nodes
  sudo netfault fault inject stale-vtep      break it
  sudo netfault detect                       see what is broken, and the remedy
  sudo netfault fault heal                   run the remedy, and undo what is left
  sudo netfault lab down                     remove the lab`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noArgs,
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			if flag := cmd.Flag("lab"); flag != nil && flag.Annotations[namesLab] != nil {
				interruptionOf(cmd.Context()).about(flag.Value.String())
			}
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if !printVersion {
				return helpOf(cmd, args)
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "netfault version", version())
			return err
		},
	}
	// Cobra's own would not look at what else is on the line.
	root.Flags().BoolVarP(&printVersion, "version", "v", false, "version for netfault")
	root.AddCommand(newLab(), newFault(), newSnapshot(), newDetect(), newExplain(), newAnonymise(), newCapture(), newGate(), newTrain(), newReset(), newDoctor())
	root.SetHelpCommand(newHelp())
	root.InitDefaultCompletionCmd()
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		completion.Args, completion.RunE = noArgs, helpOf
		for _, shell := range completion.Commands() {
			shell.Args = noArgs
		}
	}
	checkValues(root)
	watchOutput(root)
	return root
}

// noArgs is cobra.NoArgs with an error that says what to do.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.HasSubCommands() {
		return fmt.Errorf("%q is not a command of %s; `%s --help` lists them", args[0], cmd.CommandPath(), cmd.CommandPath())
	}
	return fmt.Errorf("%s takes no argument, but got %q; see `%s --help`", cmd.CommandPath(), args[0], cmd.CommandPath())
}

const labFlagName = "lab"

// namesLab marks the flag --lab of the commands that are about one lab.
const namesLab = "netfault: names a lab"

// labFlag adds the flag that says which lab is meant.
func labFlag(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVar(name, labFlagName, lab.DefaultName, "which lab, if there are several")
	// The flag was registered in the line above.
	_ = cmd.Flags().SetAnnotation("lab", namesLab, []string{"true"})
	_ = cmd.RegisterFlagCompletionFunc("lab", completeLabs)
}
