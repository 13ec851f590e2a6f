// Command bench-kind times a bare kind cluster and, in the same run, the whole suite on a cluster of the same configuration,
// and prints how the two compare. `make bench-kind` runs it. It exits 1 if the suite fails and 2 on any other error.
//
//	bench-kind SUITE ARG...
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
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/lab/kind"
	"github.com/netfault/netfault/framework/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	var failed *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &failed):
		fmt.Fprintln(os.Stderr, "bench-kind: the suite failed:", err)
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "bench-kind:", err)
		os.Exit(2)
	}
}

func run(ctx context.Context, suite []string) error {
	if len(suite) == 0 {
		return errors.New("name the suite to run, and its arguments: bench-kind SUITE ARG")
	}
	bare, err := timeBare(ctx)
	if err != nil {
		return err
	}
	out, err := os.MkdirTemp("", "netfault-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(out)
	begun := time.Now()
	cmd := exec.CommandContext(ctx, suite[0], append(suite[1:], "-out="+out)...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	// It cleans up when it is interrupted.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Run(); err != nil {
		return err
	}
	whole := time.Since(begun)
	data, err := os.ReadFile(filepath.Join(out, "report.json"))
	if err != nil {
		return err
	}
	var r results
	if err := json.Unmarshal(data, &r); err != nil {
		return fmt.Errorf("report.json: %w", err)
	}
	return r.print(bare, whole)
}

// timeBare is how long `kind create cluster` takes with the lab's configuration.
func timeBare(ctx context.Context) (time.Duration, error) {
	name := fmt.Sprintf("bare-%d", os.Getpid())
	progress := func(step string) { fmt.Fprintln(os.Stderr, "bare cluster:", step) }
	begun := time.Now()
	err := kind.UpBare(ctx, kind.Options{Name: name, Owned: true, Progress: progress})
	took := time.Since(begun)
	return took, errors.Join(err, kind.Remove(context.WithoutCancel(ctx), name))
}

// results are what is read of report.json.
type results struct {
	// Labs are how long each lab took to come up, in seconds.
	Labs      map[string]float64
	Scenarios []struct {
		Scenario, Skipped, Lab string
		Steps                  []fault.Result
	}
}

func (r results) print(bare, whole time.Duration) error {
	steps := report.NewTable(os.Stdout, "scenario", "step", "seconds")
	var labs float64
	clusters := map[string]bool{}
	for _, s := range r.Scenarios {
		if s.Skipped != "" {
			continue
		}
		clusters[s.Lab] = true
		sum := 0.0
		for _, step := range s.Steps {
			steps.AppendRow(table.Row{s.Scenario, step.Step, fmt.Sprintf("%.2f", step.Seconds)})
			sum += step.Seconds
		}
		steps.AppendRow(table.Row{s.Scenario, "all steps", fmt.Sprintf("%.2f", sum)})
	}
	for _, seconds := range r.Labs {
		labs += seconds
	}
	scenarios := r.fromFirstToLast().Seconds()
	if scenarios == 0 || labs == 0 {
		return errors.New("report.json has no scenario that ran, or no lab")
	}
	steps.Render()
	fmt.Println()
	on := "one after the other"
	if len(clusters) > 1 {
		on = fmt.Sprintf("on %d clusters at once", len(clusters))
	}
	t := report.NewTable(os.Stdout, "what", "seconds", "times the bare cluster")
	for _, row := range []struct {
		what    string
		seconds float64
	}{
		{"bare `kind create cluster`, same configuration", bare.Seconds()},
		{"the lab: cluster, flannel, pods, first probes", labs},
		{"all scenarios, " + on, scenarios},
		{"the whole suite, removal included", whole.Seconds()},
	} {
		t.AppendRow(table.Row{row.what, fmt.Sprintf("%.1f", row.seconds), fmt.Sprintf("%.2f", row.seconds/bare.Seconds())})
	}
	t.Render()
	fmt.Printf("\nall scenarios take %.2f times what making their lab takes\n", scenarios/labs)
	return nil
}

// fromFirstToLast is the time from the beginning of the first scenario to the end of the last.
func (r results) fromFirstToLast() time.Duration {
	var first, last time.Time
	for _, s := range r.Scenarios {
		for _, step := range s.Steps {
			if first.IsZero() || step.Begun.Before(first) {
				first = step.Begun
			}
			if end := step.Begun.Add(time.Duration(step.Seconds * float64(time.Second))); end.After(last) {
				last = end
			}
		}
	}
	return last.Sub(first)
}
