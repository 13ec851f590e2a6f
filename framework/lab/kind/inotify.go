package kind

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// inotifyNeeded is how many inotify instances a cluster takes, of which a user may have no more than
// fs.inotify.max_user_instances on the whole machine, and all nodes are root's. Measured: 13 a node (kubelet 7, systemd 4,
// containerd, kube-proxy), and 13 for the API server and the controller manager; with some to spare.
func inotifyNeeded(nodes int) int { return 14*nodes + 14 }

// Room returns an error if this machine has too few inotify instances left for so many nodes: kubelet and systemd end then
// with "too many open files", and kind says only that a node did not become ready. It takes as many for a moment. The limit is
// root's: of others the error wraps os.ErrPermission.
func Room(nodes int) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("inotify instances of root: %w", os.ErrPermission)
	}
	need := inotifyNeeded(nodes)
	if got := instancesLeft(need); got < need {
		return fmt.Errorf("a kind lab of %d nodes takes about %d inotify instances, and %d are left to root: "+
			"sysctl -w fs.inotify.max_user_instances=%d", nodes, need, got, instancesWanted)
	}
	return nil
}

// instancesWanted is what kind's documentation recommends (known issues: too many open files).
const instancesWanted = 512

// instancesLeft makes up to so many instances, and ends them.
func instancesLeft(want int) int {
	for made := range want {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
		if err != nil {
			return made
		}
		defer unix.Close(fd)
	}
	return want
}
