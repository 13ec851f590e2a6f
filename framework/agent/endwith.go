package agent

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// EndWith ends this process when another one ends, by its file descriptor, which means no other that gets the same ID later
// (pidfd_open(2)). Whatever this process is doing then was about something that is gone.
func EndWith(pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("process %d, with which this one ends: %w", pid, err)
	}
	go func() {
		for {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
			if n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
				os.Exit(0)
			}
		}
	}()
	return nil
}
