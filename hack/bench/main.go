// Command bench times what users wait for, prints one table, and writes the same as JSON: the first run from an empty build
// cache, labs of 3 to 30 nodes, the life of every scenario by step, detectors on big clusters, and a class of learners at once. With
// -base it does the same with another commit in the same run, by turns, and says how the two compare. `make bench` runs it, in the
// top folder.
//
//	bench [-base=REF] [-out=FILE] [COMMAND ARG...]
//
// COMMAND is what runs its arguments as root, such as sudo; root needs none. It exits 2 on errors, 64 when it is called wrongly.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

// rounds are how often everything but the first run is timed; the table has the medians.
const rounds = 3

func main() {
	base := flag.String("base", "", "the commit to compare with")
	out := flag.String("out", filepath.Join("out", "bench.json"), "the file to write")
	flag.CommandLine.Init(os.Args[0], flag.ContinueOnError)
	if err := flag.CommandLine.Parse(os.Args[1:]); err != nil {
		os.Exit(64)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *base, *out, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
}

func run(ctx context.Context, base, out string, asRoot []string) (err error) {
	tmp, err := os.MkdirTemp("", "netfault-bench-")
	if err != nil {
		return err
	}
	// What root has written there is root's. A context that has ended must not keep it.
	defer func() {
		_, removed := command(context.WithoutCancel(ctx), ".", nil, append(asRoot, "rm", "-rf", tmp)...)
		err = errors.Join(err, removed)
	}()
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	if len(asRoot) > 0 {
		// Commands run in other folders.
		if asRoot[0], err = exec.LookPath(asRoot[0]); err != nil {
			return err
		}
		if asRoot[0], err = filepath.Abs(asRoot[0]); err != nil {
			return err
		}
	}
	own := &side{dir: here, tmp: filepath.Join(tmp, "own"), asRoot: asRoot}
	sides := []*side{own}
	if base != "" {
		other := &side{dir: filepath.Join(tmp, "checkout"), tmp: filepath.Join(tmp, "base"), asRoot: asRoot}
		if _, err := command(ctx, here, nil, "git", "worktree", "add", "--quiet", "--detach", other.dir, base); err != nil {
			return err
		}
		defer func() {
			_, removed := command(context.WithoutCancel(ctx), here, nil, "git", "worktree", "remove", "--force", other.dir)
			err = errors.Join(err, removed)
		}()
		sides = append(sides, other)
	}
	for _, s := range sides {
		if s.commit, err = command(ctx, s.dir, nil, "git", "describe", "--always", "--dirty"); err != nil {
			return err
		}
		s.commit = strings.TrimSpace(s.commit)
		if err := s.firstRun(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.commit, err)
		}
	}
	for round := range rounds {
		for i := range sides {
			// Each begins as often, where there are two.
			s := sides[(i+round)%len(sides)]
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, rounds, s.commit)
			if err := s.round(ctx); err != nil {
				return fmt.Errorf("%s: %w", s.commit, err)
			}
		}
	}
	result := compare(sides)
	if err := result.write(out); err != nil {
		return err
	}
	result.print(os.Stdout)
	return nil
}
