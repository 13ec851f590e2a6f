package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/netfault/netfault/hack/mutants/mutant"
)

// skipped are tests that only root can run, so that everybody has the same survivors, and one that takes seconds.
const skipped = "Kernel|TooManyCases"

// test looks among those that survive for such as the tests of their own folder notice.
func (r runner) test(ctx context.Context, mine []site, fates map[int]string) error {
	byFolder := map[string][]site{}
	for _, s := range mine {
		if fates[s.number] == survived {
			folder := filepath.Dir(s.file)
			byFolder[folder] = append(byFolder[folder], s)
		}
	}
	for folder, survivors := range byFolder {
		program, err := r.buildTests(ctx, folder)
		if err != nil {
			return err
		}
		if program == "" {
			continue
		}
		begun := time.Now()
		failed, err := fails(ctx, program, folder, 0, unbroken)
		if err != nil {
			return fmt.Errorf("the tests of %s: %w", folder, err)
		}
		if failed != "" {
			return fmt.Errorf("the tests of %s fail already when nothing is broken: %s", folder, failed)
		}
		// A mutant that never ends is found out by that. Others may use the processor meanwhile.
		limit := 10*time.Since(begun) + 5*time.Second
		var mu sync.Mutex
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(runtime.NumCPU())
		for _, s := range survivors {
			group.Go(func() error {
				failed, err := fails(ctx, program, folder, s.number, limit)
				mu.Lock()
				defer mu.Unlock()
				if failed != "" {
					fates[s.number] = byTest
				}
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// buildTests returns the program of a folder's tests with all mutants, "" if it has none.
func (r runner) buildTests(ctx context.Context, folder string) (string, error) {
	found, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil || len(found) == 0 {
		return "", err
	}
	program, err := filepath.Abs(filepath.Join(filepath.Dir(r.program), strings.ReplaceAll(folder, string(filepath.Separator), "-")+".test"))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay="+r.overlay, "-o", program, "./"+filepath.ToSlash(folder))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the tests of %s cannot be built: %w\n%s", folder, err, out)
	}
	return program, nil
}

// unbroken is how long tests may take when nothing is broken.
const unbroken = 5 * time.Minute

// fails returns what a folder's tests say if they fail with a mutant, "" if they pass.
func fails(ctx context.Context, program, folder string, number int, limit time.Duration) (string, error) {
	cmd := exec.CommandContext(ctx, program, "-test.failfast", "-test.short", "-test.timeout="+limit.String(), "-test.skip="+skipped)
	cmd.Dir = folder
	cmd.Env = append(slices.Clone(os.Environ()), fmt.Sprintf("%s=%d", mutant.Variable, number))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if ctx.Err() == nil && errors.As(err, &exit) {
		return fmt.Sprintf("%v\n%s", err, out), nil
	}
	return "", err
}
