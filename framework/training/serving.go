package training

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/netfault/netfault/framework/lock"
)

// servingDir is the folder of a store, and no attempt, that is locked by who serves its exercises.
const servingDir = "serving"

// Serving says that this process begins exercises of the store which end with it, until release is called. Only one may: another would
// take those that it finds for left over. The kernel ends it with the process, however that ends.
func (s Store) Serving(ctx context.Context) (release func() error, err error) {
	dir := filepath.Join(s.Dir, servingDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	k, err := lock.Folder(ctx, dir)
	if taken, is := errors.AsType[*lock.TakenError](err); is {
		by := taken.Holder.String()
		if taken.Holder.PID != 0 {
			by = fmt.Sprintf("process %d", taken.Holder.PID)
		}
		return nil, fmt.Errorf("%s serves exercises of %s: end it first, or set %s to another folder for this one", by, s.Dir, DirVariable)
	}
	if err != nil {
		return nil, err
	}
	return k.Release, nil
}
