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

	"github.com/netfault/netfault/framework/engine"
	"github.com/netfault/netfault/framework/tools"
)

// Fix installs the missing Debian packages and builds the missing tools, and tells on log what it does and why. It
// installs nothing that is there already. It is no error if what is optional cannot be had.
func Fix(ctx context.Context, log io.Writer, checks []Check) error {
	var needed, optional []string
	for _, c := range checks {
		if c.Missing == nil || errors.Is(c.Missing, ErrUnknown) || len(c.Packages) == 0 {
			continue
		}
		fmt.Fprintf(log, "%s is missing: %s; installing Debian's %s\n", c.Name, c.Why, strings.Join(c.Packages, ", "))
		if c.Optional == "" {
			needed = append(needed, c.Packages...)
		} else {
			optional = append(optional, c.Packages...)
		}
	}
	if err := install(ctx, log, needed); err != nil {
		return err
	}
	if err := install(ctx, log, optional); err != nil {
		fmt.Fprintf(log, "going on without it: %v\n", err)
	}
	for _, c := range checks {
		if c.Name == engine.ModulesDir && c.Missing != nil {
			if err := command(ctx, log, "mkdir", "-p", engine.ModulesDir); err != nil {
				return err
			}
		}
		if errors.Is(c.Missing, errNoBridgeNetfilter) {
			fmt.Fprintln(log, "bridge netfilter is missing: Kubernetes nodes pass bridged packets through iptables; loading it")
			if err := command(ctx, log, "modprobe", "br_netfilter"); err != nil {
				return err
			}
		}
	}
	if err := buildTools(ctx, log, checks); err != nil {
		return err
	}
	if slices.ContainsFunc(checks, func(c Check) bool { return c.Name == dockerd }) {
		fetchDocker(ctx, log)
	}
	return nil
}

// fetchDocker tries again with fresh package lists; failing is no error, since labs can do without.
func fetchDocker(ctx context.Context, log io.Writer) {
	err := tools.FetchDocker(ctx, log)
	if err != nil && onPath("apt-get") == nil {
		if err = command(ctx, log, "apt-get", "update", "-q"); err == nil {
			err = tools.FetchDocker(ctx, log)
		}
	}
	if err != nil {
		fmt.Fprintf(log, "dockerd cannot be had here: %v; %s\n", err, dockerCheck().Optional)
	}
}

func install(ctx context.Context, log io.Writer, packages []string) error {
	if len(packages) == 0 {
		return nil
	}
	if onPath("apt-get") != nil {
		return fmt.Errorf("there is no apt-get here: install what provides %s by hand", strings.Join(packages, ", "))
	}
	if err := command(ctx, log, "apt-get", "update", "-q"); err != nil {
		return err
	}
	return command(ctx, log, append([]string{"apt-get", "install", "-q", "-y", "--no-install-recommends"}, packages...)...)
}

// command runs a command as root, with sudo where needed.
func command(ctx context.Context, log io.Writer, argv ...string) error {
	if os.Geteuid() != 0 {
		if onPath("sudo") != nil {
			return fmt.Errorf("there is no sudo here: run this as root: %s", strings.Join(argv, " "))
		}
		argv = append([]string{"sudo"}, argv...)
	}
	fmt.Fprintln(log, "$", strings.Join(argv, " "))
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	cmd.Stdout, cmd.Stderr, cmd.Stdin = log, log, os.Stdin
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
	}
	return nil
}

// buildTools builds, from the checkout around the working folder, the tools that are missing or whose pinned source has
// changed.
func buildTools(ctx context.Context, log io.Writer, checks []Check) error {
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	source, err := tools.SourceDir(here)
	if err != nil && !slices.ContainsFunc(checks, func(c Check) bool { return c.Tool != nil && c.Missing != nil }) {
		return nil // nothing to build, and no checkout to look for newer sources
	}
	if err != nil {
		return err
	}
	for _, c := range checks {
		if c.Tool == nil {
			continue
		}
		if err := c.Tool.Build(ctx, log, source); err != nil {
			return err
		}
	}
	return nil
}
