package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/internal/rtnl"
	"github.com/netfault/netfault/framework/wait"
)

// neighboursNeeded is how many entries a lab takes of those that the kernel's neighbour table counts: five a node and six for
// the lab, measured. One more a node is for a machine that loses its eth0's entries and finds the others by ARP.
func neighboursNeeded(nodes int) int { return 6*nodes + 6 }

// largestFor is the largest lab that needs no more than so many entries.
func largestFor(entries int) int { return min((entries-6)/6, MaxNodes) }

// goingLimit is how long the kernel may take to end the namespaces of a lab that was removed.
const goingLimit = 10 * time.Second

// room is what is left of the kernel's neighbour table, which all network namespaces of a machine share.
type room struct {
	// limit is net.ipv4.neigh.default.gc_thresh2: from there on, the kernel throws out entries of whatever namespace. Those
	// between it and gc_thresh3, where it makes no new ones, are left to the machine.
	limit int
	// least and most are how many are taken: in the namespaces that could be looked into, and with those that could not, among
	// them such that the kernel is still ending.
	least, most int
}

// Room returns an error if a lab of so many nodes would fill the kernel's neighbour table, at the cost of everything else on
// this machine. It waits for a lab that was just removed to be gone. Without root, who alone can look into all
// namespaces, the error may wrap os.ErrPermission.
func Room(ctx context.Context, nodes int) error {
	root := os.Geteuid() == 0
	var counted, others int
	if root {
		var err error
		if counted, others, err = visibleNeighbours(); err != nil {
			return fmt.Errorf("neighbours: %w", err)
		}
	}
	var answer error
	_ = wait.Until(ctx, goingLimit, "room", func(context.Context) error { // what it last waited for is the answer
		table, err := rtnl.ARPTable()
		if err != nil {
			answer = fmt.Errorf("neighbour table: %w", err)
			return nil
		}
		r := room{limit: min(table.Threshold2, table.Threshold3), least: counted, most: max(counted, table.Entries-others)}
		answer = r.check(nodes)
		switch {
		case answer == nil || r.least+neighboursNeeded(nodes) > r.limit:
			return nil
		case !root:
			answer = fmt.Errorf("other network namespaces: %w", os.ErrPermission)
			return nil
		}
		return answer
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return answer
}

func (r room) check(nodes int) error {
	need := neighboursNeeded(nodes)
	if r.most+need <= r.limit {
		return nil
	}
	second := max(r.limit, 128)
	for second < r.most+need {
		second *= 2
	}
	fits := "no lab fits"
	if n := largestFor(r.limit - r.most); n >= 2 {
		fits = fmt.Sprintf("one of %d nodes fits", n)
	}
	return fmt.Errorf("a lab of %d nodes takes %d entries of the kernel's neighbour table, which all network namespaces of this machine share; "+
		"%d are taken, and from %d on (net.ipv4.neigh.default.gc_thresh2) the kernel throws out entries of the machine's own network, too. "+
		"As it is, %s; to make room: sysctl -w net.ipv4.neigh.default.gc_thresh3=%d net.ipv4.neigh.default.gc_thresh2=%d",
		nodes, need, r.most, r.limit, fits, 2*second, second)
}

// visibleNeighbours counts the IPv4 entries in the network namespaces that processes are in: those that the table's limits
// count, and the others.
func visibleNeighbours() (counted, others int, err error) {
	paths, err := filepath.Glob("/proc/[0-9]*/ns/net")
	if err != nil {
		return 0, 0, err
	}
	namespaces := map[string]string{}
	for _, path := range paths {
		if id, err := os.Readlink(path); err == nil {
			namespaces[id] = path
		}
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread does not come back from where it went
		for _, path := range namespaces {
			c, o, err := neighboursIn(path)
			if err != nil {
				done <- fmt.Errorf("%s: %w", path, err)
				return
			}
			counted, others = counted+c, others+o
		}
		done <- nil
	}()
	err = <-done
	return counted, others, err
}

// neighboursIn moves the calling thread into a network namespace and counts there; nothing if its process has ended.
func neighboursIn(path string) (counted, others int, err error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH):
		return 0, 0, nil
	case err != nil:
		return 0, 0, err
	}
	defer unix.Close(fd)
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return 0, 0, err
	}
	entries, err := rtnl.Neighbours(unix.AF_INET, 0)
	for _, m := range entries {
		if rtnl.Counted(m) {
			counted++
		} else {
			others++
		}
	}
	return counted, others, err
}
