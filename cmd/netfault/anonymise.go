package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/rekey"
)

func newAnonymise() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "anonymise BUNDLE -o DIR",
		Short: "Write a bundle that can be shared: other addresses and names, the same structure",
		Long: `Write a copy of an evidence bundle with other addresses, link addresses, and names of nodes, pods, Services and chains.
Networks stay networks, a network's first address stays first, ports and counters stay, so that detectors find in it what
they find in the original. Both are judged, and nothing is written if the verdicts differ but for the names. The new
names come from a random key that is not kept. Files that netfault does not know or cannot read are left out and named.

What stays: kernel and Kubernetes versions, times, numbers, private ranges as such, the last number of IPv4 addresses, names of
interfaces, and what programs call the same everywhere. Look at the copy before you share it.`,
		Example: `  netfault anonymise bundle -o to-share
  netfault detect --bundle to-share`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one folder with a bundle; see `netfault anonymise --help`")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			left, err := anonymise(cmd.Context(), args[0], dir)
			if err != nil {
				return err
			}
			for _, l := range left {
				fmt.Fprintf(cmd.OutOrStdout(), "left out %s: %s\n", l.File, l.Reason)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "the re-keyed evidence is in %s, and its verdicts are those of %s\n", dir, args[0])
			return nil
		},
	}
	cmd.Flags().StringVarP(&dir, "output", "o", "", "folder to write, new or empty")
	// The flag was registered in the line above.
	_ = cmd.MarkFlagRequired("output")
	_ = cmd.MarkFlagDirname("output")
	return cmd
}

// anonymise writes the re-keyed bundle of the folder from into the folder to, whole or not at all.
func anonymise(ctx context.Context, from, to string) ([]rekey.LeftOut, error) {
	if err := errors.Join(checkFolder(to), checkBundle(from)); err != nil {
		return nil, err
	}
	if err := checkFree(to); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(from)
	if err != nil {
		return nil, fmt.Errorf("open bundle: %w", err)
	}
	defer root.Close()
	if _, err := root.Stat("nodes"); err != nil {
		return nil, fmt.Errorf("%s is no evidence bundle: it has no folder named nodes", from)
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(to)), 0o755); err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(filepath.Dir(filepath.Clean(to)), ".netfault-anonymise-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	if err := os.Chmod(temp, 0o755); err != nil {
		return nil, err
	}
	names, left, err := rekey.Bundle(ctx, root.FS(), rekey.NewKey(), func(file string, data []byte) error {
		path := filepath.Join(temp, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return os.WriteFile(path, data, 0o644)
	})
	if err != nil {
		return nil, err
	}
	if err := sameVerdicts(ctx, from, temp, names, left); err != nil {
		return nil, err
	}
	// It is removed only if it is empty still.
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return left, os.Rename(temp, to)
}

// checkFree returns an error unless dir is a folder that is new or empty.
func checkFree(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty: name another folder, or remove it first", dir)
	}
	return nil
}

// sameVerdicts judges both bundles and returns an error that says in what they differ.
func sameVerdicts(ctx context.Context, from, to string, names *rekey.Names, left []rekey.LeftOut) error {
	old, err := verdicts(ctx, from, names.Node)
	if err != nil {
		return err
	}
	now, err := verdicts(ctx, to, func(node string) string { return node })
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if slices.Equal(old, now) {
		return nil
	}
	var text strings.Builder
	text.WriteString("nothing is written, since the re-keyed bundle is judged otherwise than the original:")
	for _, v := range old {
		if !slices.Contains(now, v) {
			fmt.Fprintf(&text, "\n  only the original:  %s", v)
		}
	}
	for _, v := range now {
		if !slices.Contains(old, v) {
			fmt.Fprintf(&text, "\n  only the re-keyed:  %s", v)
		}
	}
	for _, l := range left {
		fmt.Fprintf(&text, "\n  left out %s: %s", l.File, l.Reason)
	}
	return errors.New(text.String())
}

// verdicts returns what all detectors say of a bundle, sorted, without what they quote.
func verdicts(ctx context.Context, dir string, node func(string) string) ([]string, error) {
	b, err := evidence.Open(dir)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	var out []string
	for _, f := range detectors.Run(ctx, b, all.Detectors()).Findings {
		verdict := fmt.Sprintf("%s: %s", f.Detector, f.Verdict)
		for _, part := range []string{f.Case, node(f.Node), node(f.Peer)} {
			if part != "" {
				verdict += " " + part
			}
		}
		out = append(out, verdict)
	}
	slices.Sort(out)
	return out, nil
}
