package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/report"
)

func newDetect() *cobra.Command {
	var name, bundle, output, html string
	var judged judgement
	cmd := &cobra.Command{
		Use:   "detect",
		Short: "Run all detectors over a bundle, or over the lab as it is now",
		Long: `Run all detectors over a bundle of evidence, from any cluster, or over fresh evidence of the lab. What cannot be had of
a lab that is broken is told on standard error, and leaves unknown what depends on it; the rest is judged.

What is known and not to be heard of is suppressed by the ID of the finding, which -o json shows, for a reason and until a
day: it is shown as suppressed, and does not count.

Exit codes: 0 clean, 1 problem found, 2 unknown or error (those of node-problem-detector's plugins), 64 wrong usage.`,
		Example: `  sudo netfault detect
  netfault detect --bundle fixtures/bundles/stale-vtep/faulty
  netfault detect --bundle bundle -o json --fail-on=critical
  netfault detect --bundle bundle --html=report.html
  netfault detect --bundle bundle --suppress="pod-snat/rule/n2/* until 2027-01-31: the old gateway, ticket 4711"
  netfault detect --bundle bundle --suppressions=known.txt     # a file with such lines`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(checkOutput(output), judged.check()); err != nil {
				return err
			}
			dir := bundle
			if dir == "" {
				found, err := look(cmd, name)
				if err != nil {
					return fmt.Errorf("%w (or judge a bundle: netfault detect --bundle=DIR)", err)
				}
				l, err := found.OpenPartly(cmd.Context())
				if err != nil {
					return err
				}
				temp, remove, err := interruptionOf(cmd.Context()).tempDir()
				if err != nil {
					return err
				}
				defer remove()
				dir = filepath.Join(temp, "bundle")
				// What could not be had is told, and makes unknown what needs it; the rest is judged.
				if _, err := takeEvidence(cmd, l, dir); err != nil {
					return err
				}
			}
			if err := checkBundle(dir); err != nil {
				return err
			}
			b, err := evidence.Open(dir)
			if err != nil {
				return err
			}
			defer b.Close()
			if _, err := b.Info(); errors.Is(err, fs.ErrNotExist) {
				fmt.Fprintf(cmd.ErrOrStderr(), "netfault: %s has no %s: its collection may have been interrupted\n", shown(dir), evidence.InfoFile)
			}
			r := judged.report(cmd.Context(), b)
			if output == "json" {
				if err := report.FindingsJSON(cmd.OutOrStdout(), r); err != nil {
					return err
				}
			} else {
				report.FindingsTable(cmd.OutOrStdout(), r)
			}
			if err := writePage(html, findingsPage(dir, b, r, judged.failOn)); err != nil {
				return err
			}
			if code := r.ExitCode(judged.failOn); code != 0 {
				return exitCode(code)
			}
			return nil
		},
	}
	labFlag(cmd, &name)
	outputFlag(cmd, &output)
	htmlFlag(cmd, &html)
	judged.flags(cmd)
	cmd.Flags().StringVar(&bundle, "bundle", "", "folder with the evidence to judge, instead of a lab")
	cmd.MarkFlagsMutuallyExclusive("bundle", "lab")
	// The flag was registered in the lines above.
	_ = cmd.MarkFlagDirname("bundle")
	return cmd
}
