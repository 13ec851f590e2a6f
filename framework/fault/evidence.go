package fault

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
)

// faultyBundle is the evidence of the symptom.
const faultyBundle = "faulty"

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
