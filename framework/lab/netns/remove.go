package netns

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lab/owner"
	"github.com/netfault/netfault/framework/wait"
)

// removeLimit is how long the kernel may take to end a lab's processes.
const removeLimit = 30 * time.Second

// Remove ends the lab and everything in it, whole or not, and returns once none of its processes is left. It is no
// error if there is nothing to remove. It touches only processes that carry the lab's mark, and the lab's folder.
func Remove(ctx context.Context, name string) error {
	if err := lab.CheckName(name); err != nil {
		return err
	}
	err := wait.Until(ctx, removeLimit, "the end of lab "+name, func(context.Context) error {
		left, err := firstProcesses(name)
		if err != nil {
			return err
		}
		for machine, pid := range left {
			if err := killMarked(name, machine, pid); err != nil {
				return fmt.Errorf("%s (process %d): %w", machine, pid, err)
			}
		}
		if len(left) > 0 {
			return fmt.Errorf("%d machines still run", len(left))
		}
		return nil
	})
	return errors.Join(err, owner.RemoveFolder(StateDir(name)))
}

// killMarked kills a process only if it still carries the mark: the ID may have gone to another process meanwhile,
// which a pidfd opened before the check rules out.
func killMarked(lab, machine string, pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if l, m, ok := mark(pid); !ok || l != lab || m != machine {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, syscall.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	return nil
}

// UseOf says who needs the lab.
func UseOf(name string) (owner.Use, error) {
	r, err := readRecord(name)
	if errors.Is(err, fs.ErrNotExist) {
		return owner.Abandoned, nil
	}
	if err != nil {
		return owner.Abandoned, err
	}
	use := owner.Of(r.Owner)
	if use != owner.Standing {
		return use, nil
	}
	running, err := firstProcesses(name)
	if len(running) == 0 {
		return owner.Abandoned, err
	}
	return owner.Standing, err
}
