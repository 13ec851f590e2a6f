package kind

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/netfault/netfault/framework/wait"
)

// stragglerLimit is how long the engine's program may take to make a container.
const stragglerLimit = time.Minute

// waitForStragglers waits until no program of the engine makes containers for the lab any more: it goes on when the netfault
// that started it is killed, and what it makes would come after everything was removed.
func waitForStragglers(ctx context.Context, name string) error {
	return wait.Until(ctx, stragglerLimit, "the engine to finish what a netfault before has begun", func(context.Context) error {
		return noStraggler(name)
	})
}

// noStraggler looks for processes that are given the lab's cluster label.
func noStraggler(name string) error {
	var labels []string
	for _, c := range clusterNames(name) {
		labels = append(labels, clusterLabel+"="+c)
	}
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return err
	}
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		argv := bytes.Split(bytes.TrimSuffix(line, []byte{0}), []byte{0})
		for _, arg := range argv {
			if slices.Contains(labels, string(arg)) {
				return fmt.Errorf("%s of process %s runs", filepath.Base(string(argv[0])), filepath.Base(filepath.Dir(file)))
			}
		}
	}
	return nil
}
