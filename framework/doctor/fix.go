package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/netfault/netfault/framework/engine"
	"github.com/netfault/netfault/framework/progress"
	"github.com/netfault/netfault/framework/tools"
)

// Fix installs the missing Debian packages and builds the missing tools, side by side, and tells on log what it does, why, and
// how far it is. It installs nothing that is there already. It is no error if what is optional cannot be had.
func Fix(ctx context.Context, log io.Writer, checks []Check) error {
	board, stop := progress.Start(log)
	defer stop()
	builds, buildCtx := errgroup.WithContext(ctx)
	installed := make(chan struct{})
	// By ctx: a build that fails must not break off dpkg.
	builds.Go(func() error { return debian(ctx, board, checks, installed) })
	var took []tools.Took
	builds.Go(func() (err error) {
		took, err = buildTools(buildCtx, board, checks, installed)
		return err
	})
	err := builds.Wait()
	stop()
	if len(took) > 0 {
		printTook(log, took)
	}
	return err
}

// debian installs packages, and has the kernel ready; it closes installed when that is done, and then unpacks dockerd.
func debian(ctx context.Context, board *progress.Board, checks []Check, installed chan<- struct{}) error {
	var needed, optional []string
	for _, c := range checks {
		if c.Missing == nil || errors.Is(c.Missing, ErrUnknown) || len(c.Packages) == 0 {
			continue
		}
		fmt.Fprintf(board, "%s is missing: %s; installing Debian's %s\n", c.Name, c.Why, strings.Join(c.Packages, ", "))
		if c.Optional == "" {
			needed = append(needed, c.Packages...)
		} else {
			optional = append(optional, c.Packages...)
		}
	}
	fresh := sync.OnceValue(func() error { return command(ctx, board, "apt-get", "update", "-q") })
	if err := install(ctx, board, fresh, needed); err != nil {
		return err
	}
	if err := install(ctx, board, fresh, optional); err != nil {
		fmt.Fprintf(board, "going on without it: %v\n", err)
	}
	for _, c := range checks {
		if c.Name == engine.ModulesDir && c.Missing != nil {
			if err := command(ctx, board, "mkdir", "-p", engine.ModulesDir); err != nil {
				return err
			}
		}
		if errors.Is(c.Missing, errNoBridgeNetfilter) {
			fmt.Fprintln(board, "bridge netfilter is missing: Kubernetes nodes pass bridged packets through iptables; loading it")
			if err := command(ctx, board, "modprobe", "br_netfilter"); err != nil {
				return err
			}
		}
	}
	close(installed)
	if slices.ContainsFunc(checks, func(c Check) bool { return c.Name == dockerd }) {
		fetchDocker(ctx, board, fresh)
	}
	return nil
}

// fetchDocker tries again with fresh package lists; failing is no error, since labs can do without.
func fetchDocker(ctx context.Context, board *progress.Board, fresh func() error) {
	err := tools.FetchDocker(ctx, board)
	if err != nil && onPath("apt-get") == nil {
		if err = fresh(); err == nil {
			err = tools.FetchDocker(ctx, board)
		}
	}
	if err != nil {
		fmt.Fprintf(board, "dockerd cannot be had here: %v; %s\n", err, dockerCheck().Optional)
	}
}

// install installs packages, which may be named more than once, from lists that fresh brings up to date.
func install(ctx context.Context, board *progress.Board, fresh func() error, packages []string) error {
	if len(packages) == 0 {
		return nil
	}
	packages = slices.Compact(slices.Sorted(slices.Values(packages)))
	if onPath("apt-get") != nil {
		return fmt.Errorf("there is no apt-get here: install what provides %s by hand", strings.Join(packages, ", "))
	}
	if err := fresh(); err != nil {
		return err
	}
	return command(ctx, board, append([]string{"apt-get", "install", "-q", "-y", "--no-install-recommends"}, packages...)...)
}

// command runs a command as root, with sudo where needed, which may ask for a password.
func command(ctx context.Context, board *progress.Board, argv ...string) error {
	if os.Geteuid() != 0 {
		if onPath("sudo") != nil {
			return fmt.Errorf("there is no sudo here: run this as root: %s", strings.Join(argv, " "))
		}
		argv = append([]string{"sudo"}, argv...)
	}
	fmt.Fprintln(board, "$", strings.Join(argv, " "))
	defer board.Hold()()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	out := board.Lines()
	defer out.Close()
	cmd.Stdout, cmd.Stderr, cmd.Stdin = out, out, os.Stdin
	// Killed, dpkg would leave packages half installed.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
	}
	return nil
}

// sideBySide is how many tools are built at a time. The go command uses all processors by itself, but not while it downloads,
// looks and links.
const sideBySide = 2

// buildTools builds, from the checkout around the working folder, the tools that are missing or whose pinned source has
// changed, and returns what that took. Those with C code wait for the compiler, until installed is closed.
func buildTools(ctx context.Context, board *progress.Board, checks []Check, installed <-chan struct{}) ([]tools.Took, error) {
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	source, err := tools.SourceDir(here)
	if err != nil && !slices.ContainsFunc(checks, func(c Check) bool { return c.Tool != nil && c.Missing != nil }) {
		return nil, nil // nothing to build, and no checkout to look for newer sources
	}
	if err != nil {
		return nil, err
	}
	built := make([]*tools.Took, len(checks))
	builds, ctx := errgroup.WithContext(ctx)
	builds.SetLimit(sideBySide)
	for i, c := range checks {
		if c.Tool == nil {
			continue
		}
		builds.Go(func() (err error) {
			if c.Tool.NeedsC() {
				select {
				case <-installed:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			built[i], err = c.Tool.BuildBeside(ctx, board, source)
			return err
		})
	}
	err = builds.Wait()
	var took []tools.Took
	for _, t := range built {
		if t != nil {
			took = append(took, *t)
		}
	}
	return took, err
}

// printTook says what each build took.
func printTook(log io.Writer, took []tools.Took) {
	table := tabwriter.NewWriter(log, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "built\ttime\tprocessor time\tpackages\t")
	for _, t := range took {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t\n", t.Name, t.Wall.Round(time.Second), t.CPU.Round(time.Second), t.Packages)
	}
	_ = table.Flush() // log is told what it may hear
}
