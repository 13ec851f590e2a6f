package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lab/owner"
)

// stateRoot holds one folder for each lab. It is on a tmpfs, so that it ends with the lab when the machine restarts.
const stateRoot = "/run/netfault"

// labName keeps names short enough for paths and host names.
var labName = regexp.MustCompile(`^[a-z0-9][-a-z0-9]{0,30}$`)

// record is lab.json: what cannot be read off the processes.
type record struct {
	Name    string `json:"name"`
	Nodes   int    `json:"nodes"`
	Flannel string `json:"flannel"`
	Agent   string `json:"agent"`
	// Pods is how pods hang on the nodes.
	Pods lab.Attachment `json:"pods"`
	// Docker is what lab.Lab's Docker says.
	Docker string `json:"docker,omitempty"`
	// Owner is the process that the lab belongs to, and dies with; it is zero for a lab that stands on its own.
	Owner owner.Process `json:"owner"`
}

func stateDir(name string) string { return filepath.Join(stateRoot, name) }

func (r record) write() error { return owner.WriteRecord(stateDir(r.Name), r) }

// readRecord returns an error that wraps fs.ErrNotExist if there is none.
func readRecord(name string) (record, error) {
	var r record
	err := owner.ReadRecord(stateDir(name), &r)
	return r, err
}

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

// mark reads the lab and machine from a process's command line. A process that is not the first of a PID namespace
// below ours is never ours, whatever it is called.
func mark(pid int) (lab, machine string, ok bool) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return "", "", false
	}
	argv := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	if len(argv) < 4 || filepath.Base(argv[0]) != "netfault-agent" || argv[1] != "init" {
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

// List returns the names of all labs that left a trace on this machine, whole or not, sorted.
func List() ([]string, error) {
	byProcess, err := allFirstProcesses()
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(byProcess))
	for name := range byProcess {
		names = append(names, name)
	}
	entries, err := os.ReadDir(stateRoot)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if e.IsDir() && labName.MatchString(e.Name()) && !slices.Contains(names, e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}
