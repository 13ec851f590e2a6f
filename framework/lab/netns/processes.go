package netns

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/netfault/netfault/framework/agent"
)

// firstProcesses returns the process IDs of the first processes of a lab's machines, by machine name, found by their
// mark: their command line, and being the first of a PID namespace.
func firstProcesses(lab string) (map[string]int, error) {
	all, err := allFirstProcesses()
	return all[lab], err
}

// allFirstProcesses returns lab → machine → process ID.
func allFirstProcesses() (map[string]map[string]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	labs := map[string]map[string]int{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		lab, machine, ok := mark(pid)
		if !ok {
			continue
		}
		if labs[lab] == nil {
			labs[lab] = map[string]int{}
		}
		labs[lab][machine] = pid
	}
	return labs, nil
}

// programNames are what the first processes of machines are called, those of sealed labs second.
var programNames = []string{"netfault-agent", filepath.Base(agent.SealedProgram)}

// mark reads the lab and machine from a process's command line. A process that is not the first of a PID namespace
// below ours is never ours, whatever it is called.
func mark(pid int) (lab, machine string, ok bool) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return "", "", false
	}
	argv := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	if len(argv) < 4 || !slices.Contains(programNames, filepath.Base(argv[0])) || argv[1] != "init" {
		return "", "", false
	}
	lab, okLab := strings.CutPrefix(argv[2], "--lab=")
	machine, okMachine := strings.CutPrefix(argv[3], "--machine=")
	if !okLab || !okMachine {
		return "", "", false
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return "", "", false
	}
	for text := range strings.Lines(string(status)) {
		if ids, found := strings.CutPrefix(text, "NSpid:"); found {
			inside := strings.Fields(ids)
			return lab, machine, len(inside) > 1 && inside[len(inside)-1] == "1"
		}
	}
	return "", "", false
}
