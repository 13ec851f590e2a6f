package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/netfault/netfault/framework/procstat"
)

// Processes lists the command lines of the machine's first process and of its children, which are its services and what
// was left behind by others, sorted; one in a network namespace of its own has "(own network)" behind it. The children of
// services come and go: flanneld checks its rules with iptables every five seconds. Commands that somebody runs here from
// outside have no parent in this PID namespace, and are left out, too.
func Processes() ([]string, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
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
		if pid == 1 || stat.Parent == 1 {
			pids = append(pids, pid)
		}
	}
	home, err := os.Readlink("/proc/1/ns/net")
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, pid := range pids {
		line, err := describe(pid, home)
		if gone(err) || line == "" {
			continue
		}
		if err != nil {
			return nil, err
		}
		if isShim(line) {
			continue
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines, nil
}

// isShim says that a process is what containerd keeps for each pod: it comes and goes with pods, which Kubernetes makes
// anew as it sees fit.
func isShim(line string) bool {
	program, _, _ := strings.Cut(line, " ")
	return strings.HasPrefix(filepath.Base(program), "containerd-shim")
}

// gone says that a process ended while it was looked at.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
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
