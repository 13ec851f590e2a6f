package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/framework/collect"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/snapshot"
)

func newSnapshot() *cobra.Command {
	var name, dir string
	cmd := &cobra.Command{
		Use:   "snapshot -o DIR",
		Short: "Write the lab's evidence into a folder of plain files",
		Long: `Write an evidence bundle of the lab: plain files in standard tools' formats. docs/EVIDENCE.md describes each.

Exit codes: 0 the bundle is whole, 2 something could not be had, which is told, and the rest is there; or an error.`,
		Example: `  sudo netfault snapshot -o bundle
  netfault detect --bundle bundle`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFolder(dir); err != nil {
				return err
			}
			found, err := look(cmd, name)
			if err != nil {
				return err
			}
			l, err := found.OpenPartly(cmd.Context())
			if err != nil {
				return err
			}
			whole, err := takeEvidence(cmd, l, dir)
			if err != nil {
				return err
			}
			what, code := "the evidence", error(nil)
			if !whole {
				what, code = "a part of the evidence", exitCode(errorCode)
			}
			judge := detectors.Command{Argv: []string{"netfault", "detect", "--bundle=" + dir}}
			fmt.Fprintf(cmd.OutOrStdout(), "%s of %s is in %s; judge it with: %s\n", what, l.Name(), shown(dir), judge)
			return code
		},
	}
	labFlag(cmd, &name)
	cmd.Flags().StringVarP(&dir, "output", "o", "", "folder to write, new or empty")
	// Both flags were registered in the lines above.
	_ = cmd.MarkFlagRequired("output")
	_ = cmd.MarkFlagDirname("output")
	return cmd
}

// checkFolder refuses a folder that was meant for a format, as -o names one elsewhere.
func checkFolder(dir string) error {
	if slices.Contains(formats, dir) {
		return usage(fmt.Errorf("-o names the folder to write, not a format; for a folder called %s write -o ./%s", dir, dir))
	}
	return nil
}

// takeEvidence writes a bundle of the lab into dir, tells what could not be had, and returns whether that was nothing.
func takeEvidence(cmd *cobra.Command, l lab.Lab, dir string) (whole bool, err error) {
	_, err = snapshot.Take(cmd.Context(), l, "netfault "+version(), dir)
	incomplete, ok := errors.AsType[*collect.IncompleteError](err)
	if !ok {
		return err == nil, err
	}
	told := map[string]bool{} // a node is asked twice
	for line := range strings.Lines(incomplete.Error()) {
		if !told[line] {
			fmt.Fprintln(cmd.ErrOrStderr(), "netfault: could not be had:", detectors.OneLine(strings.TrimSpace(line)))
		}
		told[line] = true
	}
	return false, nil
}
