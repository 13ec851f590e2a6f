package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/netfault/netfault/framework/kstate"
)

// Recorded is the state of one machine at one moment, without counters and ages.
type Recorded struct {
	Network kstate.State `json:"network"`
	// Processes and Options are a node's; a pod, which shares them with its node, has only a network of its own.
	Processes []string `json:"processes"`
	// Options are the files with options of the machine's services: path to content.
	Options map[string]string `json:"options"`
}

// Record reads the state of the machine that it runs in, or its network alone.
func Record(ctx context.Context, networkOnly bool) (Recorded, error) {
	network, err := kstate.Record(ctx)
	if err != nil || networkOnly {
		return Recorded{Network: network}, err
	}
	r := Recorded{Network: network, Options: map[string]string{}}
	if r.Processes, err = Processes(); err != nil {
		return Recorded{}, err
	}
	services, err := ownServices(ctx)
	if err != nil {
		return Recorded{}, err
	}
	for _, s := range services {
		for _, file := range s.EnvironmentFiles {
			content, err := os.ReadFile(file)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return Recorded{}, err
			}
			r.Options[file] = string(content)
		}
	}
	return r, nil
}

// ownServices lists the services of the machine that it runs in; none where its first process is not the lab's.
func ownServices(ctx context.Context) ([]Status, error) {
	if _, err := os.Stat(SocketPath); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return NewClient(SocketPath).Services(ctx)
}

// Restore makes options and network state equal to want, and returns what it could not restore. Services whose options
// it changes are started again, if they run.
func Restore(ctx context.Context, want Recorded) ([]kstate.Problem, error) {
	if want.Options != nil {
		if err := restoreOptions(ctx, want); err != nil {
			return nil, err
		}
	}
	return kstate.Restore(ctx, want.Network), nil
}

func restoreOptions(ctx context.Context, want Recorded) error {
	services, err := ownServices(ctx)
	if err != nil {
		return err
	}
	for _, s := range services {
		changed := false
		for _, file := range s.EnvironmentFiles {
			c, err := restoreFile(file, want.Options)
			if err != nil {
				return err
			}
			changed = changed || c
		}
		if changed && s.Running {
			if _, err := NewClient(SocketPath).Act(ctx, s.Name, "restart"); err != nil {
				return fmt.Errorf("restart of %s with its old options: %w", s.Name, err)
			}
		}
	}
	return nil
}

// restoreFile says whether it had to change the file.
func restoreFile(path string, want map[string]string) (bool, error) {
	content, wanted := want[path]
	now, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !wanted:
		return false, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return false, err
	case !wanted:
		return true, os.Remove(path)
	case err == nil && bytes.Equal(now, []byte(content)):
		return false, nil
	}
	return true, os.WriteFile(path, []byte(content), 0o644)
}
