package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/netfault/netfault/framework/doctor"
)

func newDoctor() *cobra.Command {
	var fix, forKind bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine lacks to run a lab, and install it",
		Long: `Check what a lab needs of this machine. With --fix, install missing Debian packages (with sudo where needed) and build
etcd, flanneld and CoreDNS from their pinned sources; that part must run inside netfault's checkout. Debian's dockerd is
unpacked into the cache, and not installed.`,
		Example: `  sudo netfault doctor
  netfault doctor --fix
  netfault doctor --fix --kind`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			if fix {
				if err := doctor.Fix(cmd.Context(), out, doctor.Run(cmd.Context(), forKind)); err != nil {
					return err
				}
			}
			lacking := 0
			for _, c := range doctor.Run(cmd.Context(), forKind) {
				if c.Missing == nil {
					fmt.Fprintf(out, "ok       %s\n", c.Name)
					continue
				}
				if errors.Is(c.Missing, doctor.ErrUnknown) {
					fmt.Fprintf(out, "unknown  %s: %v\n         %s\n", c.Name, c.Missing, c.Why)
					continue
				}
				if c.Optional != "" {
					fmt.Fprintf(out, "optional %s: %v\n         %s; without it, %s\n", c.Name, c.Missing, c.Why, c.Optional)
					continue
				}
				lacking++
				fmt.Fprintf(out, "missing  %s: %v\n         %s\n", c.Name, c.Missing, c.Why)
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
	cmd.Flags().BoolVar(&forKind, "kind", false, "and what kind labs need: a container engine, which is Podman if there is none")
	return cmd
}
