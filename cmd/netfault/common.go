package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lab/netns"
	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/lock"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/scenarios"
)

// find returns the lab of that name, if this user can reach it.
func find(ctx context.Context, name string) (labs.Found, error) {
	return reachable(labs.Find(ctx, name))
}

// reachable is a lab that was looked for, unless this user cannot reach it.
func reachable(found labs.Found, err error) (labs.Found, error) {
	if err == nil && found.Kind == labs.Netns {
		err = netns.NeedRoot()
	}
	return found, err
}

// open returns a lab that is up, to look at.
func open(ctx context.Context, name string) (lab.Lab, error) {
	found, err := find(ctx, name)
	if err != nil {
		return nil, err
	}
	return found.Open(ctx)
}

// hold returns a lab that is up, to change: until release nobody else can.
func hold(ctx context.Context, name string) (*lock.Held, error) {
	found, err := find(ctx, name)
	if err != nil {
		return nil, err
	}
	return found.Hold(ctx)
}

// look finds the lab for a command that changes none. Where --lab does not say which, and there is one alone, that is it.
func look(cmd *cobra.Command, name string) (labs.Found, error) {
	found, err := labs.Find(cmd.Context(), name)
	if only, ok := onlyLab(err); ok && !cmd.Flag(labFlagName).Changed {
		found, err = only, nil
		fmt.Fprintf(cmd.ErrOrStderr(), "netfault: there is no lab %q; taking the only one there is, %s\n", name, found.Name)
	}
	return reachable(found, err)
}

// onlyLab returns the lab that there is alone, from the error of looking for another.
func onlyLab(err error) (labs.Found, bool) {
	missing, ok := errors.AsType[*labs.NotFoundError](err)
	if !ok || len(missing.All) != 1 {
		return labs.Found{}, false
	}
	return missing.All[0], true
}

// findMachine returns a node, a pod or the host outside.
func findMachine(l lab.Lab, name string) (machine.Machine, error) {
	var names []string
	for _, m := range machines(l) {
		if m.Name() == name {
			return m, nil
		}
		names = append(names, m.Name())
	}
	return nil, fmt.Errorf("%s has no machine %q; it has: %s", l.Name(), name, strings.Join(names, ", "))
}

func machines(l lab.Lab) []machine.Machine {
	all := []machine.Machine{l.Outside()}
	for _, n := range l.Nodes() {
		all = append(all, n, n.Pod.Machine, n.Client.Machine)
	}
	return all
}

// ofLab is what is said of a lab among several. Many errors say themselves which lab they are about.
func ofLab(name, text string) string {
	prefix := "lab " + name
	if strings.HasPrefix(text, prefix+" ") || strings.HasPrefix(text, prefix+":") {
		return text
	}
	return prefix + ": " + text
}

// labError is an error of a lab among several: it says which, once.
type labError struct {
	name string
	err  error
}

func (e *labError) Error() string { return ofLab(e.name, e.err.Error()) }
func (e *labError) Unwrap() error { return e.err }

func outputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "table", "table or json")
	// The flag was registered in the line above.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
}

// formats are what -o can be where it names one.
var formats = []string{"table", "json"}

func checkOutput(output string) error {
	if !slices.Contains(formats, output) {
		return usage(fmt.Errorf("--output=%s: want table or json", output))
	}
	return nil
}

func completeLabs(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	all, err := labs.List(completionContext(cmd))
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, f := range all {
		names = append(names, f.Name+"\t"+string(f.Kind))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completionContext is there because a command that only completes is not executed, and has no context of its own.
func completionContext(cmd *cobra.Command) context.Context {
	if cmd.Context() != nil {
		return cmd.Context()
	}
	return context.Background()
}

func completeMachines(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	l, err := open(completionContext(cmd), cmd.Flag("lab").Value.String())
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var names []string
	for _, m := range machines(l) {
		names = append(names, m.Name())
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func completeFaults(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, s := range scenarios.All() {
		names = append(names, s.Name+"\t"+s.Summary)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
