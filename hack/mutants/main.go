// Command mutants breaks every detector, and what detectors share, in every way that it knows, one at a time, and says which breaks the
// recorded gate does not notice: each condition inverted, each comparison shifted, each finding and each doubt dropped. Run it in the top
// folder:
//
//	go run ./hack/mutants [PART…]    a detector's name, evaluator, readers or shared
//
// All mutants are in one build (go build -overlay), whose code asks package mutant which of them to be. Those that may survive are in
// survivors.txt, with the reason. Exit codes: 0 all others are killed, 1 not all, 2 it could not run.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// workVariable marks the process that is built with all mutants, and says what it is to do: PART FROM TO.
const workVariable = "NETFAULT_MUTANTS"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		if errors.Is(err, errSurvive) {
			os.Exit(1)
		}
		os.Exit(2)
	}
}

func run(ctx context.Context) error {
	if todo := os.Getenv(workVariable); todo != "" {
		var name string
		var from, to int
		if _, err := fmt.Sscanf(todo, "%s %d %d", &name, &from, &to); err != nil {
			return fmt.Errorf("%s=%s: %w", workVariable, todo, err)
		}
		return work(ctx, name, from, to)
	}
	list, err := chosen(os.Args[1:])
	if err != nil {
		return err
	}
	why, err := explained(survivorsText)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	sites, err := build(ctx, dir)
	if err != nil {
		return err
	}
	wrong := 0
	for _, p := range list {
		n, err := judge(ctx, filepath.Join(dir, "mutants"), p, sites, why)
		if err != nil {
			return err
		}
		wrong += n
	}
	if wrong > 0 {
		return fmt.Errorf("%d mutants survive without a reason in hack/mutants/survivors.txt, or are killed that have one there: %w", wrong, errSurvive)
	}
	return nil
}

// errSurvive is that it ran, and that there is something to do.
var errSurvive = errors.New("write a case that kills them, or say why they may")

// build writes this program with all mutants of all detectors into the folder.
func build(ctx context.Context, dir string) ([]site, error) {
	var sites []site
	replace := map[string]string{}
	for _, p := range parts() {
		files, err := p.sources(".")
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			text, err := mutate(p.name, file, &sites)
			if err != nil {
				return nil, err
			}
			changed := filepath.Join(dir, fmt.Sprintf("%d.go", len(replace)))
			if err := os.WriteFile(changed, text, 0o644); err != nil {
				return nil, err
			}
			whole, err := filepath.Abs(file)
			if err != nil {
				return nil, err
			}
			replace[whole] = changed
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, err
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayFile, overlay, 0o644); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-overlay="+overlayFile, "-o", filepath.Join(dir, "mutants"), "./hack/mutants")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("the mutants cannot be built: %w\n%s", err, out)
	}
	return sites, nil
}

// judge runs the mutants of one part, and prints how many were noticed and by what, and each that was not. It returns how many of these
// are not explained, or are explained and do not survive.
func judge(ctx context.Context, program string, p part, sites []site, why map[string]string) (int, error) {
	mine := slices.DeleteFunc(slices.Clone(sites), func(s site) bool { return s.part != p.name })
	if len(mine) == 0 {
		fmt.Printf("%s: it has no code of its own to break\n", p.name)
		return 0, nil
	}
	fates, err := fatesOf(ctx, program, p.name, mine)
	if err != nil {
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
	killed := len(mine) - count[byText] - count[survived]
	fmt.Printf("%s: %d mutants, %d killed by the recorded gate (%d %%), %d more by the texts of its cases (%d %% in all), %d survive, %d of them for a known reason\n",
		p.name, len(mine), killed, 100*killed/len(mine), count[byText], 100*(killed+count[byText])/len(mine), count[survived], len(survivors))
	for _, line := range wrong {
		fmt.Println(line)
	}
	return len(wrong), nil
}

// fatesOf runs the mutants by as many processes as there are processors.
func fatesOf(ctx context.Context, program, name string, mine []site) (map[int]string, error) {
	var mu sync.Mutex
	fates := map[int]string{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for chunk := range slices.Chunk(mine, 50) {
		group.Go(func() error {
			own := map[int]string{}
			last := chunk[len(chunk)-1].number
			for next := chunk[0].number; next <= last; {
				done, err := batch(ctx, program, name, next, last, own)
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
func batch(ctx context.Context, program, name string, from, to int, fates map[int]string) (int, error) {
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d", workVariable, name, from, to))
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
