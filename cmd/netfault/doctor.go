package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/netfault/netfault/framework/doctor"
	"github.com/netfault/netfault/framework/labs"
)

func newDoctor() *cobra.Command {
	var fix bool
	var lab labs.Kind
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine lacks to run a lab, and install it",
		Long: `Check what labs need of this machine. With --fix, install missing Debian packages (with sudo where needed) and meanwhile
build etcd, flanneld and CoreDNS from their pinned sources; that part must run inside netfault's checkout. Debian's dockerd is
unpacked into the cache, and not installed. Where there is no container engine, Podman is installed for kind clusters, and set
up by a containers.conf in netfault's cache.

Exit codes: 0 nothing is lacking that labs cannot do without, 1 something is, 2 error.`,
		Example: `  sudo netfault doctor
  netfault doctor --fix
  netfault doctor --fix --lab=netns`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if lab != "" && lab != labs.Netns && lab != labs.KIND {
				return usage(fmt.Errorf("--lab=%s: want netns or kind, or none for both", lab))
			}
			out := cmd.OutOrStdout()
			if fix {
				if err := doctor.Fix(cmd.Context(), out, doctor.Run(cmd.Context(), lab)); err != nil {
					return err
				}
			}
			lacking := 0
			for _, c := range doctor.Run(cmd.Context(), lab) {
				if c.Missing == nil {
					fmt.Fprintf(out, "ok       %s\n", c.Name)
					continue
				}
				if errors.Is(c.Missing, doctor.ErrUnknown) {
					fmt.Fprintf(out, "unknown  %s: %v\n         %s\n", c.Name, c.Missing, c.Why)
					continue
				}
				bring := ""
				if len(c.Packages) > 0 {
					bring = "; Debian's " + strings.Join(c.Packages, ", ")
				}
				if c.Optional != "" {
					fmt.Fprintf(out, "optional %s: %v%s\n         %s; without it, %s\n", c.Name, c.Missing, bring, c.Why, c.Optional)
					continue
				}
				lacking++
				fmt.Fprintf(out, "missing  %s: %v%s\n         %s\n", c.Name, c.Missing, bring, c.Why)
			}
			if lacking == 0 {
				return nil
			}
			if !fix {
				fmt.Fprintln(out, "\n`netfault doctor --fix` installs what it can, from netfault's checkout")
			}
			return exitCode(1)
		},
	}
	cmd.Flags().BoolVar(&fix, "fix", false, "install what is missing")
	cmd.Flags().StringVar((*string)(&lab), "lab", "", "only what labs of this kind need: netns (embedded) or kind (a Kubernetes cluster)")
	// The flag was registered in the line above.
	_ = cmd.RegisterFlagCompletionFunc("lab", cobra.FixedCompletions([]string{"netns", "kind"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}
