package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/framework/report"
)

func newExplain() *cobra.Command {
	lang := "en"
	cmd := &cobra.Command{
		Use:   "explain [DETECTOR[/CASE]]",
		Short: "Say what a detector looks for, how it can be wrong, and what a case means",
		Long: `Print the documentation of a detector or of one of its cases; without an argument, list them all. The ID of a finding, as
-o json shows it, is understood, too.`,
		Example: `  netfault explain
  netfault explain stale-vtep
  netfault explain stale-vtep/lease-stale --lang=zh`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("explain takes one detector or case, but got %q", args)
			}
			return nil
		},
		ValidArgsFunction: completeCases,
		RunE: func(cmd *cobra.Command, args []string) error {
			if lang != "en" && lang != "zh" {
				return usage(fmt.Errorf("--lang=%s: want en or zh", lang))
			}
			if len(args) == 0 {
				report.DetectorsTable(cmd.OutOrStdout(), all.Detectors())
				return nil
			}
			text, err := explain(args[0], lang)
			if err != nil {
				return usage(err)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), strings.TrimSpace(text))
			return err
		},
	}
	cmd.Flags().StringVar(&lang, "lang", lang, "language: en or zh")
	// The flag was registered in the line above.
	_ = cmd.RegisterFlagCompletionFunc("lang", cobra.FixedCompletions([]string{"en", "zh"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// explain returns the write-up of a detector, or the part on one of its cases.
func explain(what, lang string) (string, error) {
	parts := strings.Split(what, "/")
	var names []string
	for _, d := range all.Detectors() {
		if d.Name != parts[0] {
			names = append(names, d.Name)
			continue
		}
		text := d.Writeup.English
		if lang == "zh" {
			text = d.Writeup.Chinese
		}
		if len(parts) == 1 {
			return text, nil
		}
		return caseText(d, text, parts[1])
	}
	return "", fmt.Errorf("there is no detector %q; there are: %s", parts[0], strings.Join(names, ", "))
}

// caseText is what stands below the heading of a case.
func caseText(d detectors.Detector, text, name string) (string, error) {
	if _, ok := d.CaseNamed(name); !ok {
		var names []string
		for _, c := range d.Cases {
			names = append(names, c.Name)
		}
		return "", fmt.Errorf("%s has no case %q; it has: %s", d.Name, name, strings.Join(names, ", "))
	}
	var part strings.Builder
	inside := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			inside = strings.TrimSpace(line) == "### "+name
		}
		if inside {
			part.WriteString(line)
		}
	}
	return part.String(), nil
}

func completeCases(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var words []string
	for _, d := range all.Detectors() {
		words = append(words, d.Name+"\t"+d.About)
		for _, c := range d.Cases {
			words = append(words, d.Name+"/"+c.Name+"\t"+c.About)
		}
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}
