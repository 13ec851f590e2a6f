package fault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
)

// The bundles of a life, by the name of their folder in Life.Bundles/SCENARIO.
const (
	// HealthyBundle is of the lab before the fault.
	HealthyBundle = "healthy"
	// FaultyBundle is of the symptom.
	FaultyBundle = "faulty"
	// HealedBundle is of the lab after the remedy.
	HealedBundle = "healed"
	// UndoneBundle is of the lab after the undo, where AfterUndo was run.
	UndoneBundle = "undone"
)

// TriedBundle is of the lab after the scenario's attempt of that number, from 0.
func TriedBundle(attempt int) string { return fmt.Sprintf("tried-%d", attempt+1) }

// take takes a bundle of the lab once it has settled, with fresh probes and what was captured, and returns the probes.
func (l *Life) take(ctx context.Context, name string, seen Seen) ([]evidence.Probe, error) {
	if err := l.settled(ctx); err != nil {
		return nil, err
	}
	dir := filepath.Join(l.Bundles, l.Scenario.Name, name)
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	probes, err := l.in().snapshot(ctx, l.Lab, l.Tool, dir)
	if err != nil {
		return nil, err
	}
	for _, c := range seen.Captures {
		file := filepath.Join(dir, filepath.FromSlash(evidence.CaptureFile(c.Node, c.Name+".pcap")))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, c.PCAP, 0o644); err != nil {
			return nil, err
		}
	}
	l.fresh = dir
	return probes, nil
}

// look sends the scenario's own traffic and takes a bundle of what is then.
func (l *Life) look(ctx context.Context, name string, faulty bool) error {
	seen, err := l.exercise(ctx, faulty)
	if err != nil {
		return err
	}
	_, err = l.take(ctx, name, seen)
	return err
}

// judge runs the detectors over the bundle that was taken last. Evidence is never taken again for another verdict: what is
// wrong then is wrong.
func (l *Life) judge(ctx context.Context) (detectors.Report, error) {
	if l.fresh == "" {
		return detectors.Report{}, errors.New("nothing was collected since the lab was changed")
	}
	l.bundle = l.fresh
	b, err := evidence.Open(l.bundle)
	if err != nil {
		return detectors.Report{}, err
	}
	defer b.Close()
	return detectors.Run(ctx, b, l.Detectors), nil
}
