package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// runner runs the program that has all mutants.
type runner struct {
	program string
	// trials is the file that says where mutants could make a difference.
	trials string
	// overlay is the file for go build -overlay.
	overlay string
	sites   []site
}

// command is the program, told what to do.
func (r runner) command(ctx context.Context, from, to int) *exec.Cmd {
	cmd := exec.CommandContext(ctx, r.program)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d", workVariable, r.trials, from, to), "GOMAXPROCS=1")
	return cmd
}

// reach has the file trials written.
func (r runner) reach(ctx context.Context) error {
	if out, err := r.command(ctx, 0, len(r.sites)).CombinedOutput(); err != nil {
		return fmt.Errorf("nothing is broken yet, and already: %w\n%s", err, out)
	}
	return nil
}

// judge runs the mutants of one part, and prints how many were noticed and by what, and each that was not. It returns how many of these
// are not explained, or are explained and do not survive.
func (r runner) judge(ctx context.Context, p part, why map[string]string) (int, error) {
	mine := slices.DeleteFunc(slices.Clone(r.sites), func(s site) bool { return s.part != p.name })
	if len(mine) == 0 {
		fmt.Printf("%s: it has no code of its own to break\n", p.name)
		return 0, nil
	}
	fates, err := r.fates(ctx, mine)
	if err != nil {
		return 0, err
	}
	if err := r.test(ctx, mine, fates); err != nil {
		return 0, err
	}
	count := map[string]int{}
	var survivors, wrong []string
	for _, s := range mine {
		count[fates[s.number]]++
		reason := why[s.String()]
		switch lives := fates[s.number] == survived; {
		case lives && reason == "":
			wrong = append(wrong, fmt.Sprintf("  %s:%d survives: %s", s.file, s.line, s))
		case lives:
			survivors = append(survivors, s.String())
		}
	}
	// One line may have the same mutant twice, of which one survives.
	for _, s := range mine {
		if why[s.String()] != "" && !slices.Contains(survivors, s.String()) {
			wrong = append(wrong, fmt.Sprintf("  %s:%d is killed, and explained: %s", s.file, s.line, s))
		}
	}
	killed := len(mine) - count[survived]
	fmt.Printf("%s: %d mutants, %d killed by the recorded gate, %d more by texts of cases, %d more by unit tests (%d %% in all), %d survive, %d of them for a known reason\n",
		p.name, len(mine), killed-count[byText]-count[byTest], count[byText], count[byTest], 100*killed/len(mine), count[survived], len(survivors))
	for _, line := range wrong {
		fmt.Println(line)
	}
	return len(wrong), nil
}

// fates runs the mutants by as many processes as there are processors.
func (r runner) fates(ctx context.Context, mine []site) (map[int]string, error) {
	var mu sync.Mutex
	fates := map[int]string{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for chunk := range slices.Chunk(mine, 50) {
		group.Go(func() error {
			own := map[int]string{}
			last := chunk[len(chunk)-1].number
			for next := chunk[0].number; next <= last; {
				done, err := r.batch(ctx, next, last, own)
				if err != nil {
					return err
				}
				next = done + 1
			}
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(fates, own)
			return nil
		})
	}
	return fates, group.Wait()
}

// batch runs the program from one mutant on until it ends, and returns the last of which it is known what became. One that ends the
// program, or takes for ever, is killed by that.
func (r runner) batch(ctx context.Context, from, to int, fates map[int]string) (int, error) {
	cmd := r.command(ctx, from, to)
	cmd.Stderr = io.Discard // panics
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	done := from - 1
	for lines := bufio.NewScanner(out); lines.Scan(); {
		number, what, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.Atoi(number)
		if err != nil {
			return 0, fmt.Errorf("the mutants say %q", lines.Text())
		}
		done = n
		fates[n] = what
	}
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case err != nil && done < from:
		return 0, fmt.Errorf("the mutants do not run: %w", err)
	}
	return done, nil
}
