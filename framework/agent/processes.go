package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/netfault/netfault/framework/procstat"
)

// Processes lists the command lines of the processes that belong to this machine, sorted; one in a network namespace of
// its own has "(own network)" behind it. Commands that somebody runs here from outside are left out: in this PID
// namespace they, or the first of their ancestors, have no parent.
func Processes() ([]string, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	parents := map[int]int{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := procstat.Read(pid)
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		parents[pid] = stat.Parent
	}
	home, err := os.Readlink("/proc/1/ns/net")
	if err != nil {
		return nil, err
	}
	var lines []string
	for pid := range parents {
		if !descends(parents, pid) {
			continue
		}
		line, err := describe(pid, home)
		if gone(err) || line == "" {
			continue
		}
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines, nil
}

// gone says that a process ended while it was looked at.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}

// descends says whether pid is the machine's first process or below it.
func descends(parents map[int]int, pid int) bool {
	for pid > 1 {
		pid = parents[pid]
	}
	return pid == 1
}

// describe returns "" for a process that has ended and only waits to be reaped.
func describe(pid int, home string) (string, error) {
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || len(cmdline) == 0 {
		return "", err
	}
	line := strings.ReplaceAll(strings.TrimSuffix(string(cmdline), "\x00"), "\x00", " ")
	network, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return "", err
	}
	if network != home {
		line += " (own network)"
	}
	return line, nil
}
