package agent

import (
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
	// Recycle lists the pods of the node that have an emulated tcp_tw_recycle.
	Recycle []string `json:"recycle,omitempty"`
}

// Part is how much of a machine's state is recorded.
type Part string

const (
	// All is everything, as a node has it.
	All Part = "all"
	// Network is the network alone, as a pod has it.
	Network Part = "network"
	// Tables are what network programs write to all the time: the network without its settings.
	Tables Part = "tables"
)

// Record reads the state of the machine that it runs in.
func Record(ctx context.Context, part Part) (Recorded, error) {
	switch part {
	case All, Network:
	case Tables:
		network, err := kstate.RecordTables(ctx)
		return Recorded{Network: network}, err
	default:
		return Recorded{}, fmt.Errorf("%q is no part of a machine's state: want %s, %s or %s", part, All, Network, Tables)
	}
	network, err := kstate.Record(ctx)
	if err != nil || part == Network {
		return Recorded{Network: network}, err
	}
	r := Recorded{Network: network, Options: map[string]string{}}
	if r.Processes, err = Processes(); err != nil {
		return Recorded{}, err
	}
	settings, err := RecycleSettings(ctx)
	if err != nil {
		return Recorded{}, err
	}
	for _, s := range settings {
		r.Recycle = append(r.Recycle, s.Scope)
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

// Restore makes options and network state equal to want, and returns what it could not restore. Units with netfault's mark are
// stopped, and services that run with other options than these are started again.
func Restore(ctx context.Context, want Recorded) ([]kstate.Problem, error) {
	if want.Options != nil {
		if err := stopUnits(ctx); err != nil {
			return nil, err
		}
		if err := restoreOptions(ctx, want); err != nil {
			return nil, err
		}
		if err := forgetRecycle(ctx, want.Recycle); err != nil {
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
		for _, file := range s.EnvironmentFiles {
			if err := restoreFile(file, want.Options); err != nil {
				return err
			}
		}
	}
	if services, err = ownServices(ctx); err != nil {
		return err
	}
	for _, s := range services {
		if s.Stale {
			if _, err := NewClient(SocketPath).Act(ctx, s.Name, "restart"); err != nil {
				return fmt.Errorf("restart of %s with its old options: %w", s.Name, err)
			}
		}
	}
	return nil
}

func restoreFile(path string, want map[string]string) error {
	if content, wanted := want[path]; wanted {
		return os.WriteFile(path, []byte(content), 0o644)
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
