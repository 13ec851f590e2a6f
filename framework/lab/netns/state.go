package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lab/owner"
)

// stateRoot holds one folder for each lab. It is on a tmpfs, so that it ends with the lab when the machine restarts.
const stateRoot = "/run/netfault"

// record is lab.json: what cannot be read off the processes.
type record struct {
	Name  string `json:"name"`
	Nodes int    `json:"nodes"`
	// Site has what was chosen for the lab, and not the lab's own choice.
	Site    lab.Site `json:"site,omitzero"`
	Flannel string   `json:"flannel"`
	Agent   string   `json:"agent"`
	// Pods is how pods hang on the nodes.
	Pods lab.Attachment `json:"pods"`
	// Sealed says that the lab's machines see nothing of this machine.
	Sealed bool `json:"sealed,omitempty"`
	// Docker is what lab.Lab's Docker says.
	Docker string `json:"docker,omitempty"`
	// Made says that the lab was finished.
	Made bool `json:"made"`
	// Owner is the process that the lab belongs to, and dies with; it is zero for a lab that stands on its own.
	Owner owner.Process `json:"owner"`
}

// StateDir is the folder with the journal and the logs of the lab of that name, which ends with the lab.
func StateDir(name string) string { return filepath.Join(stateRoot, name) }

func (r record) write() error { return owner.WriteRecord(StateDir(r.Name), r) }

// readRecord returns an error that wraps fs.ErrNotExist if there is none.
func readRecord(name string) (record, error) {
	var r record
	err := owner.ReadRecord(StateDir(name), &r)
	return r, err
}

// claim makes the lab's folder, which nobody else can have made.
func (l *Lab) claim() error {
	if running, err := firstProcesses(l.record.Name); err != nil {
		return err
	} else if len(running) > 0 {
		return alreadyUp(l.record.Name)
	}
	err := owner.MakeFolder(l.StateDir())
	if errors.Is(err, fs.ErrExist) {
		return alreadyUp(l.record.Name)
	}
	if err != nil {
		return err
	}
	return l.record.write()
}

func alreadyUp(name string) error {
	return fmt.Errorf("lab %s is there already: `%s` removes it", name, lab.Command(name, "lab down"))
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
		if e.IsDir() && lab.CheckName(e.Name()) == nil && !slices.Contains(names, e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}
