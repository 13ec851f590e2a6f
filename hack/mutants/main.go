// Command mutants breaks every detector in every way that it knows, one at a time, and says which breaks the recorded gate does not
// notice: each condition inverted, each comparison shifted, each finding and each doubt dropped. Run it in the top folder:
//
//	go run ./hack/mutants [DETECTOR…]
//
// All mutants are in one build (go build -overlay), whose detectors ask package mutant which of them to be. Exit codes: 0 it ran, 2 it
// could not.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/netfault/netfault/detectors/all"
)

// workVariable marks the process that is built with all mutants, and says what it is to do: DETECTOR FROM TO.
const workVariable = "NETFAULT_MUTANTS"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
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
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	sites, err := build(ctx, dir)
	if err != nil {
		return err
	}
	for _, d := range all.Detectors() {
		if len(os.Args) > 1 && !slices.Contains(os.Args[1:], d.Name) {
			continue
		}
		if err := judge(ctx, filepath.Join(dir, "mutants"), d.Name, sites); err != nil {
			return err
		}
	}
	return nil
}

// build writes this program with all mutants of all detectors into the folder.
func build(ctx context.Context, dir string) ([]site, error) {
	var sites []site
	replace := map[string]string{}
	for _, d := range all.Detectors() {
		files, err := filepath.Glob(filepath.Join("detectors", strings.ReplaceAll(d.Name, "-", ""), "*.go"))
		if err != nil || len(files) == 0 {
			return nil, fmt.Errorf("no code of %s here: run it in the top folder (%w)", d.Name, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := mutate(d.Name, file, &sites)
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

// judge runs the mutants of one detector, and prints how many were noticed and by what, and each that was not.
func judge(ctx context.Context, program, name string, sites []site) error {
	mine := slices.DeleteFunc(slices.Clone(sites), func(s site) bool { return s.detector != name })
	if len(mine) == 0 {
		fmt.Printf("%s: it has no code of its own to break\n", name)
		return nil
	}
	first, last := mine[0].number, mine[len(mine)-1].number
	fates := map[int]string{}
	for next := first; next <= last; {
		done, err := batch(ctx, program, name, next, last, fates)
		if err != nil {
			return err
		}
		next = done + 1
	}
	count := map[string]int{}
	for _, f := range fates {
		count[f]++
	}
	killed := len(mine) - count[byText] - count[survived]
	fmt.Printf("%s: %d mutants, %d killed by the recorded gate (%d %%), %d more by the texts of its cases (%d %% in all), %d survive\n",
		name, len(mine), killed, 100*killed/len(mine), count[byText], 100*(killed+count[byText])/len(mine), count[survived])
	for _, s := range mine {
		if fates[s.number] == survived {
			fmt.Printf("  %s:%d: %s: %s\n", s.file, s.line, s.how, s.text)
		}
	}
	return nil
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
