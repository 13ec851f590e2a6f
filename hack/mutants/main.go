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
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
)

// workVariable marks the process that is built with all mutants, and says what it is to do: FILE FROM TO, where FROM 0 is to write FILE.
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
		return child(ctx, todo)
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
	r := runner{program: filepath.Join(dir, "mutants"), trials: filepath.Join(dir, "trials.json"), overlay: filepath.Join(dir, overlayName), sites: sites}
	if err := r.reach(ctx); err != nil {
		return err
	}
	wrong := 0
	for _, p := range list {
		n, err := r.judge(ctx, p, why)
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

// child does what the process that has all mutants is told to.
func child(ctx context.Context, todo string) error {
	var file string
	var from, to int
	if _, err := fmt.Sscanf(todo, "%s %d %d", &file, &from, &to); err != nil {
		return fmt.Errorf("%s=%s: %w", workVariable, todo, err)
	}
	if from > 0 {
		return work(ctx, file, from, to)
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(reach(ctx, to+1, out), out.Close())
}

// overlayName is the file that says what is in the place of which source.
const overlayName = "overlay.json"

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
	overlayFile := filepath.Join(dir, overlayName)
	if err := os.WriteFile(overlayFile, overlay, 0o644); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-overlay="+overlayFile, "-o", filepath.Join(dir, "mutants"), "./hack/mutants")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("the mutants cannot be built: %w\n%s", err, out)
	}
	return sites, nil
}
