package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lab/kind"
	"github.com/netfault/netfault/framework/lab/netns"
	"github.com/netfault/netfault/framework/labs"
)

// checkValues makes cmd and its subcommands refuse, before they begin, what no flag and no argument can be: nothing, as
// a shell makes of a variable that is not set, and names that no lab can have.
func checkValues(cmd *cobra.Command) {
	cmd.PreRunE = func(c *cobra.Command, args []string) error {
		var wrong error
		c.Flags().Visit(func(f *pflag.Flag) {
			if wrong == nil {
				wrong = checkValue(c, f)
			}
		})
		if wrong == nil && len(args) > 0 && args[0] == "" {
			wrong = fmt.Errorf("the argument is empty; see `%s --help`", c.CommandPath())
		}
		return wrong
	}
	for _, sub := range cmd.Commands() {
		checkValues(sub)
	}
}

func checkValue(cmd *cobra.Command, f *pflag.Flag) error {
	values := []string{f.Value.String()}
	if list, ok := f.Value.(pflag.SliceValue); ok {
		values = list.GetSlice()
	}
	if slices.ContainsFunc(values, func(v string) bool { return strings.TrimSpace(v) == "" }) {
		return fmt.Errorf("--%s is empty: leave it out, or see `%s --help` for what it can be", f.Name, cmd.CommandPath())
	}
	if f.Name == labFlagName && f.DefValue != "" { // doctor's is a kind of lab
		return lab.CheckName(values[0])
	}
	return nil
}

// checkKind returns an error for a kind of lab that there is not.
func checkKind(k labs.Kind) error {
	if !slices.Contains(labs.Kinds, k) {
		return usage(fmt.Errorf("--kind=%s: want one of %q", k, labs.Kinds))
	}
	return nil
}

// checkUp returns an error for a lab that cannot be.
func checkUp(o labs.Options) error {
	most := netns.MaxNodes
	if o.Kind == labs.KIND {
		most = kind.MaxNodes
	}
	switch {
	case o.Nodes < 2 || o.Nodes > most:
		return usage(fmt.Errorf("--nodes=%d: want 2 to %d", o.Nodes, most))
	case !slices.Contains(lab.Attachments, o.Pods):
		return usage(fmt.Errorf("--pods=%s: want one of %q", o.Pods, lab.Attachments))
	case !slices.Contains(lab.AllRules, o.KubeProxy):
		return usage(fmt.Errorf("--kube-proxy=%s: want one of %q", o.KubeProxy, lab.AllRules))
	case !slices.Contains(lab.AllRules, o.FlannelRules):
		return usage(fmt.Errorf("--flannel-rules=%s: want one of %q", o.FlannelRules, lab.AllRules))
	case o.Kind == labs.Netns && (o.KubeProxy != lab.IPTables || o.FlannelRules != lab.IPTables):
		return usage(errors.New("an embedded lab has iptables rules alone: --kind=kind makes a lab with nftables"))
	case o.Kind == labs.KIND && o.Pods != lab.CNIBridge:
		return usage(fmt.Errorf("--pods=%s: the pods of a kind cluster hang on %s", o.Pods, lab.CNIBridge))
	}
	return checkKind(o.Kind)
}
