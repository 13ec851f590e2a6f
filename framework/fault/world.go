package fault

import (
	"context"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lock"
	"github.com/netfault/netfault/framework/probe"
	"github.com/netfault/netfault/framework/snapshot"
	"github.com/netfault/netfault/framework/undo"
)

// world is what the steps ask of a lab and do to it, commands aside. The tests of the life have a world of their own.
type world struct {
	probe    func(context.Context, lab.Lab) ([]evidence.Probe, error)
	snapshot func(ctx context.Context, l lab.Lab, tool, dir string) ([]evidence.Probe, error)
	record   func(context.Context, lab.Lab) (undo.Recorded, error)
	glance   func(context.Context, lab.Lab) (undo.Recorded, error)
	none     func(lab.Lab) error
	journal  func(lab.Lab) (undo.Journal, error)
	begin    func(ctx context.Context, l *lock.Held, scenario string) (undo.Journal, error)
	restore  func(ctx context.Context, l *lock.Held, to, now undo.Recorded) error
	close    func(context.Context, *lock.Held) error
	watch    func(context.Context, lab.Lab) (stop func() ([]dropped, error), err error)
}

var realWorld = world{
	probe: probe.Run, snapshot: snapshot.Take, record: undo.Record, glance: undo.Glance, none: undo.None, journal: undo.Read,
	begin: undo.Begin, restore: undo.Restore, close: undo.Close, watch: watchDrops,
}

// in is the world that the steps are in.
func (l *Life) in() *world {
	if l.world != nil {
		return l.world
	}
	return &realWorld
}
