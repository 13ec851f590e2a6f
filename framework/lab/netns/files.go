package netns

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// filesNeeded is how many files a process of a lab may have to open. etcd ends where it may not open more than 150 beside its
// connections (server/embed/etcd.go, reservedInternalFDNum), of which every node has some; netfault opens a few for each node.
const filesNeeded = 1024

// Files returns an error if what runs in a lab may open too few files: it has the limit of the process that makes the lab.
func Files() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	// Go's runtime has raised the soft limit to the hard one, as it does in the lab's programs.
	if limit.Cur >= filesNeeded {
		return nil
	}
	return fmt.Errorf("a process may have only %d files open here (ulimit -n), and a lab's need up to %d; for a shell, root raises it by: "+
		"prlimit --pid=PID_OF_THE_SHELL --nofile=%d:%d", limit.Cur, filesNeeded, filesNeeded, filesNeeded)
}
