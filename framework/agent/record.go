package agent

import (
	"context"

	"github.com/netfault/netfault/framework/kstate"
)

// Recorded is the state of one machine at one moment, without counters and ages.
type Recorded struct {
	Network   kstate.State `json:"network"`
	Processes []string     `json:"processes"`
}

// Record reads the state of the machine that it runs in.
func Record(ctx context.Context) (Recorded, error) {
	network, err := kstate.Record(ctx)
	if err != nil {
		return Recorded{}, err
	}
	processes, err := Processes()
	return Recorded{Network: network, Processes: processes}, err
}
