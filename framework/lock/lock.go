// Package lock keeps two processes from changing one lab at a time. The lock is the kernel's, on the lab's folder: it ends with
// the process that holds it, however that ends, and with the lab. Who only looks at a lab takes none.
package lock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/wait"
)

// Lock is the lock of one lab, held by this process until Release or its end.
type Lock struct {
	dir string
	// folder holds the lock. It is closed in programs that this process starts, as Go opens all files, so that none of them
	// keeps the lock.
	folder *os.File
	// inside leads to the folder that is locked, whatever has its name by now.
	inside *os.Root
}

// settleLimit is how long a lock that is taken may stay without a holder who can be named: between taking it and saying who
// has, and between the fork and the exec of a program that a process starts while it is killed.
const settleLimit = 200 * time.Millisecond

// Folder takes the lock of the lab that has this folder, and says in it who holds it. It does not wait for another holder: the
// error is a *TakenError then. It wraps fs.ErrNotExist if there is no such folder, as after the lab was removed.
func Folder(ctx context.Context, dir string) (*Lock, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	k := &Lock{dir: dir, inside: root}
	if k.folder, err = root.Open("."); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	if err := k.take(ctx); err != nil {
		return nil, errors.Join(err, k.folder.Close(), root.Close())
	}
	return k, nil
}

func (k *Lock) take(ctx context.Context) error {
	var taken *TakenError
	err := wait.Until(ctx, settleLimit, "the holder of "+k.dir, func(context.Context) error {
		taken = nil
		err := unix.Flock(int(k.folder.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		taken = &TakenError{Lab: filepath.Base(k.dir)}
		holder, err := readHolder(k.inside)
		if err == nil && holder.Alive() {
			taken.Holder = holder
			return nil
		}
		return errors.Join(taken, err)
	})
	switch {
	case taken != nil:
		return taken
	case err != nil:
		return err
	}
	// The folder may have been removed, and made anew for another lab of its name, since it was opened.
	if err := k.Check(); err != nil {
		return err
	}
	if err := writeHolder(k.inside); errors.Is(err, fs.ErrNotExist) {
		return err // the folder was removed after all
	}
	// It is held all the same: a full disk must not keep anybody from undoing or removing what is on it.
	return nil
}

// Check returns an error unless the lock is held, and is that of the lab which has the folder now.
func (k *Lock) Check() error {
	locked, err := k.folder.Stat()
	if errors.Is(err, fs.ErrClosed) {
		return fmt.Errorf("the lock of %s was released", k.dir)
	}
	if err != nil {
		return err
	}
	now, err := os.Stat(k.dir)
	if err != nil {
		return fmt.Errorf("the lab was removed meanwhile: %w", err)
	}
	if !os.SameFile(locked, now) {
		return fmt.Errorf("the lab of %s was removed meanwhile, and another made in its place", k.dir)
	}
	return nil
}

// Release gives the lock up. Of nothing it is none.
func (k *Lock) Release() error {
	if k == nil {
		return nil
	}
	err := k.inside.Remove(holderFile)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // it went with the lab
	}
	// Unlocked by name: a program that is about to start has a second descriptor of the folder for a moment.
	return errors.Join(err, unix.Flock(int(k.folder.Fd()), unix.LOCK_UN), k.folder.Close(), k.inside.Close())
}
