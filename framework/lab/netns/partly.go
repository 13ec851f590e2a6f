package netns

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/wait"
)

// partLimit is how long the first process of a machine may take to say which pods it keeps.
const partLimit = 5 * time.Second

// OpenPartly returns the lab of that name, of which machines and pods may have ended: they are among its machines all the same,
// and whoever runs a command there is told that they do not run. It is for those who only look.
func OpenPartly(ctx context.Context, name string) (*Lab, error) {
	r, err := readRecord(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("only a part of lab %s is left (%w): `%s` removes it", name, err, lab.Command(name, "reset"))
	}
	if err != nil {
		return nil, fmt.Errorf("lab %s: %w", name, err)
	}
	l := newLab(r)
	err = l.locate()
	if _, broken := errors.AsType[*lab.BrokenError](err); err != nil && (!broken || l.switch_ == nil) {
		return nil, err
	}
	for _, n := range l.nodes {
		limited, cancel := wait.Patience(ctx, partLimit)
		// What its pods are called on says that they do not run.
		_ = n.findPods(limited)
		cancel()
	}
	return l, nil
}
