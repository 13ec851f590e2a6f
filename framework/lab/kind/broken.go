package kind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lab/owner"
)

// usable returns an error for a lab that is not made, and a *lab.BrokenError for one whose making was ended or whose containers
// do not all run. A cluster whose containers were stopped does not come back whole: its nodes get other addresses.
func (l *Lab) usable(ctx context.Context) error {
	r, err := readRecord(l.name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch owner.StageOf(r.Made, r.Owner) {
	case owner.BeingMade:
		return fmt.Errorf("lab %s is %w by process %d", l.name, lab.ErrBeingMade, r.Owner.PID)
	case owner.Ended:
		return &lab.BrokenError{Name: l.name, What: []string{lab.MakingEnded}}
	}
	broken, err := l.Broken(ctx)
	if err != nil {
		return fmt.Errorf("lab %s: %w", l.name, err)
	}
	if len(broken) > 0 {
		return &lab.BrokenError{Name: l.name, What: broken}
	}
	return nil
}

// Broken lists the lab's containers that are stopped or gone.
func (l *Lab) Broken(ctx context.Context) ([]string, error) {
	stopped, err := l.stopped(ctx)
	return slices.Sorted(maps.Values(stopped)), err
}

// stopped says of the lab's containers that are stopped or gone what is with them, by their names. After a restart of this
// machine nothing is known of those that are gone.
func (l *Lab) stopped(ctx context.Context) (map[string]string, error) {
	r, err := readRecord(l.name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	out, err := l.engine.Output(ctx, "ps", "--all", "--filter", "label="+clusterLabel+"="+l.cluster(), "--format", "{{.Names}} {{.Status}}")
	if err != nil {
		return nil, err
	}
	var expected []string
	if r.Nodes > 0 {
		expected = append(nodeNames(l.cluster(), r.Nodes), l.outsideContainer())
	}
	return stoppedContainers(expected, string(out)), nil
}

// nodeNames are kind's, of the containers of a cluster with one control plane (pkg/cluster/internal/providers/common/namer.go,
// v0.33.0).
func nodeNames(cluster string, nodes int) []string {
	names := []string{cluster + "-control-plane"}
	for i := 1; i < nodes; i++ {
		worker := cluster + "-worker"
		if i > 1 {
			worker += fmt.Sprint(i)
		}
		names = append(names, worker)
	}
	return names
}

// stoppedContainers reads lines "NAME STATUS", of which that of a container which runs begins with "Up" in every engine.
func stoppedContainers(expected []string, list string) map[string]string {
	stopped := map[string]string{}
	there := map[string]bool{}
	for line := range strings.Lines(list) {
		name, status, _ := strings.Cut(strings.TrimSpace(line), " ")
		there[name] = true
		if !strings.HasPrefix(status, "Up") || strings.Contains(status, "Paused") {
			stopped[name] = fmt.Sprintf("the container %s does not run (%s)", name, status)
		}
	}
	for _, name := range expected {
		if !there[name] {
			stopped[name] = "the container " + name + " is gone"
		}
	}
	return stopped
}
