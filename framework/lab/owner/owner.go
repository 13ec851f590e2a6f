// Package owner says who needs a lab: a process that ends with it, people, or nobody any more.
package owner

import (
	"os"

	"github.com/netfault/netfault/framework/procstat"
)

// Process identifies a process beyond the reuse of process IDs. The zero value is no process.
type Process struct {
	PID int `json:"pid,omitempty"`
	// Start is the time of its start in clock ticks since boot, /proc/PID/stat's 22nd field (proc(5)).
	Start uint64 `json:"start,omitempty"`
}

// This is the calling process.
func This() (Process, error) {
	stat, err := procstat.Read(os.Getpid())
	return Process{PID: os.Getpid(), Start: stat.Start}, err
}

// Alive reports whether the process still runs.
func (p Process) Alive() bool {
	stat, err := procstat.Read(p.PID)
	return err == nil && stat.Start == p.Start && !stat.Zombie
}

// Use says who needs a lab.
type Use int

const (
	// Standing is a lab that stands on its own.
	Standing Use = iota
	// Owned is a lab of a process that runs.
	Owned
	// Abandoned is a lab whose owner is gone, or that was never finished: it is of no use to anybody.
	Abandoned
)

// Stage says how far the making of a lab has come.
type Stage int

const (
	// Made is a lab that was finished.
	Made Stage = iota
	// BeingMade is one that a process which runs is making.
	BeingMade
	// Ended is one whose making was ended.
	Ended
)

// StageOf tells how far the making of a lab has come that belongs to p. Who makes a lab owns it until it is made.
func StageOf(made bool, p Process) Stage {
	switch {
	case made || p == Process{}:
		return Made
	case p.Alive():
		return BeingMade
	}
	return Ended
}

// Of says who needs a lab that belongs to p.
func Of(p Process) Use {
	switch {
	case p == Process{}:
		return Standing
	case p.Alive():
		return Owned
	}
	return Abandoned
}
