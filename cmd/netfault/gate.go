package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/framework/gate"
	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/report"
)

// gateFlags are those of `netfault gate`.
type gateFlags struct {
	kind, checkout, detector, names, output, out, html string
	timeout                                            time.Duration
	memory                                             uint64
	rounds                                             int
	runRemedies, pairs                                 bool
	seed                                               uint64
}

// gateFormats are what -o can be.
var gateFormats = []string{"table", "json", "markdown", "junit"}

func newGate() *cobra.Command {
	var f gateFlags
	cmd := &cobra.Command{
		Use:   "gate",
		Short: "Hold detectors against bundles of which it is known what must be said, recorded or taken from labs",
		Long: `Hold detectors against the bundles of a checkout of netfault, of which it is known what must be said: recorded from every
scenario, healthy, faulty and healed; every case of every detector, and what nearly is one; and those after reports from
real clusters. Which faults are recognised, at which nodes, and what is reported that is not there is counted apart.

Without --detector-cmd, netfault's own detectors are judged. With it, any program that takes a bundle's folder and prints
a report, see docs/GATE.md. Bundles are given under new names in random order, so that nothing can be learnt by heart.

With --kind=netns or --kind=kind, the bundles are taken from labs that are made for it: every fault is brought about and healed
by its own remedy, and evidence is taken before, in force, after what people try first, healed, and undone. A minute or
two; Ctrl-C removes the labs. With --run-remedies, every fault is brought about once more, and what the judged detector's findings
say is run as printed: probes and the kernel's state say whether it heals, and what it takes away.

In a GitHub workflow, the result also goes into the job's summary.

Exit codes: 0 every cell is as it should be, 1 one is not, 2 the gate could not run or a lab did not come to a phase, 64 wrong
usage.`,
		Example: `  netfault gate
  netfault gate --detector-cmd='my-detector --bundle {bundle}' --map=names.txt
  netfault gate --rounds=20 --out=out/gate
  sudo netfault gate --kind=netns --run-remedies`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(cmd); err != nil {
				return usage(err)
			}
			return f.run(cmd)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.kind, "kind", recordedKind, "where the bundles are from: recorded (a checkout), or a kind of lab, netns (embedded) or kind (Kubernetes)")
	flags.StringVar(&f.checkout, "checkout", ".", "a checkout of netfault, which has the bundles")
	flags.StringVar(&f.detector, "detector-cmd", "", "the detector to judge: a program and its arguments, where "+gate.Placeholder+" stands for the bundle's folder")
	flags.StringVar(&f.names, "map", "", "file that says which cases of netfault's the detector's own are")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Second, "how long --detector-cmd may take for one bundle")
	flags.Uint64Var(&f.memory, "memory", 1024, "how many MiB of data each of its processes may have")
	flags.BoolVar(&f.pairs, "pairs", false, "with --kind=netns: also bring every two faults about at once, on different nodes")
	flags.BoolVar(&f.runRemedies, "run-remedies", false, "with --kind=netns: run what the findings say is the remedy, as printed, on every fault once more")
	flags.IntVar(&f.rounds, "rounds", 1, "how often all is judged, each time in another order and under other names")
	flags.Uint64Var(&f.seed, "seed", 0, "repeats the order and the names of another run (default: a random one, which is printed)")
	flags.StringVarP(&f.output, "output", "o", "table", "table, json, markdown or junit")
	flags.StringVar(&f.out, "out", "", "folder for the result in all of these formats")
	htmlFlag(cmd, &f.html)
	// The flags were registered in the lines above.
	_ = cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions(gateKinds, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(gateFormats, cobra.ShellCompDirectiveNoFileComp))
	_ = errors.Join(cmd.MarkFlagDirname("checkout"), cmd.MarkFlagDirname("out"), cmd.MarkFlagFilename("map"))
	return cmd
}

// check returns an error for flags that cannot be meant.
func (f *gateFlags) check(cmd *cobra.Command) error {
	switch {
	case !slices.Contains(gateKinds, f.kind):
		return fmt.Errorf("--kind=%s: want one of %q", f.kind, gateKinds)
	case f.kind != recordedKind && cmd.Flag("checkout").Changed:
		return errors.New("--checkout is where recorded bundles are, and --kind=" + f.kind + " takes them from labs")
	case !slices.Contains(gateFormats, f.output):
		return fmt.Errorf("--output=%s: want one of %q", f.output, gateFormats)
	case f.pairs && f.kind != string(labs.Netns):
		return errors.New("--pairs is for embedded labs: it needs --kind=netns")
	case f.runRemedies && f.kind != string(labs.Netns):
		return errors.New("--run-remedies runs a detector's commands as root, on embedded labs alone: it needs --kind=netns")
	case f.rounds < 1:
		return fmt.Errorf("--rounds=%d: want 1 or more", f.rounds)
	case f.detector == "" && f.names != "":
		return errors.New("--map is for the names of --detector-cmd, which is not there")
	case f.timeout <= 0 || f.memory == 0 || f.memory > 1<<30:
		return errors.New("--timeout and --memory must be more than 0, and --memory no more than 2^30 MiB")
	}
	return nil
}

func (f *gateFlags) run(cmd *cobra.Command) error {
	dets := all.Detectors()
	g := gate.Gate{Detectors: dets, Judge: gate.Ours(dets), Rounds: f.rounds, Seed: f.seed}
	if !cmd.Flag("seed").Changed {
		g.Seed = rand.Uint64N(1_000_000)
	}
	if f.detector != "" {
		dir, remove, err := interruptionOf(cmd.Context()).tempDir()
		if err != nil {
			return err
		}
		defer remove()
		if g.Judge, err = f.stranger(dets, dir); err != nil {
			return err
		}
	}
	var err error
	if f.kind == recordedKind {
		if g.Sources, g.Hostile, err = gate.Recorded(f.checkout); err != nil {
			return fmt.Errorf("%w (--checkout says where one is)", err)
		}
	} else {
		end, err := f.fromLabs(cmd, &g)
		if err != nil {
			return err
		}
		defer end()
	}
	r, err := g.Run(cmd.Context())
	if err != nil {
		return err
	}
	if err := errors.Join(f.write(cmd, r), writePage(f.html, gatePage(r))); err != nil {
		return err
	}
	switch {
	case !r.Right():
		return exitCode(detectors.ExitProblem)
	case len(r.Unreached) > 0:
		return exitCode(detectors.ExitUnknown)
	}
	return nil
}

// stranger judges by the program of --detector-cmd, with bundles in a folder.
func (f *gateFlags) stranger(dets []detectors.Detector, dir string) (gate.Judge, error) {
	words, err := gate.Words(f.detector)
	if err != nil {
		return nil, usage(fmt.Errorf("--detector-cmd=%s: %w", f.detector, err))
	}
	// It runs in another folder.
	if strings.Contains(words[0], "/") {
		if words[0], err = filepath.Abs(words[0]); err != nil {
			return nil, err
		}
	}
	c := gate.Command{Words: words, Timeout: f.timeout, Memory: f.memory << 20, Names: gate.NewNames(dets), Dir: dir}
	if f.names != "" {
		file, err := os.Open(f.names)
		if err != nil {
			return nil, usage(err)
		}
		defer file.Close()
		if err := c.Names.Read(file, f.names); err != nil {
			return nil, usage(err)
		}
	}
	return c.Judge, nil
}

// write writes the result to standard output, into the folder of --out, and into the summary of a GitHub job.
func (f *gateFlags) write(cmd *cobra.Command, r gate.Result) error {
	write := func(w io.Writer, format string) error {
		switch format {
		case "json":
			return report.GateJSON(w, r)
		case "junit":
			return report.GateJUnit(w, r)
		case "markdown":
			report.GateMarkdown(w, r)
		default:
			report.GateTable(w, r)
		}
		return nil
	}
	err := write(cmd.OutOrStdout(), f.output)
	if f.out != "" {
		err = errors.Join(err, os.MkdirAll(f.out, 0o755))
		for file, format := range map[string]string{"report.json": "json", "junit.xml": "junit", "report.md": "markdown"} {
			err = errors.Join(err, into(filepath.Join(f.out, file), os.O_TRUNC, func(w io.Writer) error { return write(w, format) }))
		}
	}
	if summary := os.Getenv("GITHUB_STEP_SUMMARY"); summary != "" {
		err = errors.Join(err, into(summary, os.O_APPEND, func(w io.Writer) error { return write(w, "markdown") }))
	}
	return err
}

// into writes a file anew, or to its end.
func into(file string, how int, write func(io.Writer) error) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|how, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
