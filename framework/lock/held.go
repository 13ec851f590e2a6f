package lock

import (
	"context"
	"errors"
	"fmt"

	"github.com/netfault/netfault/framework/lab"
)

// Held is a lab that this process may change, since it holds its lock. What changes a lab takes one, so that the lock cannot be
// forgotten.
type Held struct {
	lab.Lab
	lock *Lock
}

// Take takes the lock of a lab of one's own, which is up. Others' are locked first and opened then: Folder, and Of.
func Take(ctx context.Context, l lab.Lab) (*Held, error) {
	k, err := Folder(ctx, l.StateDir())
	if err != nil {
		return nil, err
	}
	return k.Of(l), nil
}

// Of is the lab whose lock this is.
func (k *Lock) Of(l lab.Lab) *Held { return &Held{l, k} }

// Check returns an error unless this process holds the lock of this lab.
func (h *Held) Check() error {
	if h == nil || h.lock == nil {
		return errors.New("a lab that is not locked must not be changed")
	}
	if h.lock.dir != h.StateDir() {
		return fmt.Errorf("the lock of %s is not that of %s", h.lock.dir, h.Name())
	}
	return h.lock.Check()
}

// Release gives the lock up.
func (h *Held) Release() error { return h.lock.Release() }
