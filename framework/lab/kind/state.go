package kind

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

// stateRoot holds one folder for each lab, with its journal and its owner; apart from the embedded labs' folders, since
// names may be the same. It is on a tmpfs where there is one, since a cluster does not outlive a restart in use, either.
func stateRoot() string {
	if os.Geteuid() == 0 {
		return "/run/netfault-kind"
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("netfault-kind-%d", os.Geteuid()))
}

// StateDir is the folder with the journal of the lab of that name, which ends with the lab.
func StateDir(name string) string { return filepath.Join(stateRoot(), name) }

// record is lab.json: who needs the lab. The cluster itself is found by its label.
type record struct {
	Name string `json:"name"`
	// Nodes is how many it has.
	Nodes int `json:"nodes"`
	// Parts are the nodes in the order of their parts, by their places.
	Parts []int `json:"parts,omitempty"`
	// Made says that the lab was finished.
	Made bool `json:"made"`
	// Owner is the process that the lab belongs to, and dies with; it is zero for a lab that stands on its own.
	Owner owner.Process `json:"owner"`
	// Layout is there once the lab was finished.
	Layout *layout `json:"layout,omitempty"`
}

func (r record) write() error { return owner.WriteRecord(StateDir(r.Name), r) }

// readRecord returns an error that wraps fs.ErrNotExist if there is none.
func readRecord(name string) (record, error) {
	var r record
	err := owner.ReadRecord(StateDir(name), &r)
	return r, err
}

// claim makes the lab's folder, which nobody else can have made, before anything else.
func (l *Lab) claim(o Options) error {
	all, err := l.provider.List()
	if err != nil {
		return err
	}
	for _, c := range all {
		if slices.Contains(clusterNames(l.name), c) {
			return alreadyUp(l.name)
		}
	}
	err = owner.MakeFolder(l.StateDir())
	if errors.Is(err, fs.ErrExist) {
		return alreadyUp(l.name)
	}
	if err != nil {
		return err
	}
	this, err := owner.This()
	if err != nil {
		return err
	}
	return record{Name: l.name, Nodes: o.Nodes, Parts: o.Parts, Owner: this}.write()
}

// finish writes down that the lab is made, and that it stands on its own unless it is owned.
func (l *Lab) finish(owned bool) error {
	r, err := readRecord(l.name)
	if err != nil {
		return err
	}
	r.Made, r.Layout = true, l.layout()
	if !owned {
		r.Owner = owner.Process{}
	}
	return r.write()
}

func alreadyUp(name string) error {
	return fmt.Errorf("kind lab %s is there already: `%s` removes it", name, lab.Command(name, "lab down"))
}
