// Package procstat reads /proc/PID/stat and /proc/meminfo.
package procstat

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Stat is a part of /proc/PID/stat (proc(5)).
type Stat struct {
	// Parent is the parent's process ID; 0 for a process whose parent is in another PID namespace.
	Parent int
	// Start is the time of the process's start, in clock ticks since the machine's.
	Start uint64
	// Zombie says that the process has ended and only waits to be reaped.
	Zombie bool
}

// Read reads the stat of a process. An error wraps fs.ErrNotExist or syscall.ESRCH when it has ended.
func Read(pid int) (Stat, error) {
	path := fmt.Sprintf("/proc/%d/stat", pid)
	text, err := os.ReadFile(path)
	if err != nil {
		return Stat{}, err
	}
	return parse(path, string(text))
}

func parse(path, text string) (Stat, error) {
	// The program's name, the second field, stands in parentheses and may hold anything, spaces and parentheses too.
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return Stat{}, fmt.Errorf("%s is too short: %q", path, text)
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return Stat{}, fmt.Errorf("%s: parent: %w", path, err)
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return Stat{}, fmt.Errorf("%s: start: %w", path, err)
	}
	return Stat{Parent: parent, Start: start, Zombie: fields[0] == "Z"}, nil
}
