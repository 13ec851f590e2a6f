package doctor

import (
	"context"
	"errors"
	"os"

	"github.com/netfault/netfault/framework/lab/kind"
	"github.com/netfault/netfault/framework/lab/netns"
)

// usualNodes is how many nodes a lab has when nothing is said.
const usualNodes = 3

func neighbourTable(ctx context.Context) error { return known(netns.Room(ctx, usualNodes)) }

func inotify() error { return known(kind.Room(usualNodes)) }

// known turns what only root can find out into ErrUnknown.
func known(err error) error {
	if errors.Is(err, os.ErrPermission) {
		return ErrUnknown
	}
	return err
}
