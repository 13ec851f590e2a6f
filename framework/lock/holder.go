package lock

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/netfault/netfault/framework/lab/owner"
)

// holderFile is the file in a lab's folder in which the holder of its lock says who it is. It proves nothing: after a holder
// that was killed it stays, and the next overwrites it.
const holderFile = "holder.json"

// Holder is who holds a lock; the zero value is nobody who is known.
type Holder struct {
	owner.Process
	// Since is when it took the lock.
	Since time.Time `json:"since"`
}

// String is the holder as a person would say it.
func (h Holder) String() string {
	if h.PID == 0 {
		return "a process that is not seen from here"
	}
	return fmt.Sprintf("%s since %s", h.Process, h.Since.Local().Format(time.TimeOnly))
}

// TakenError says that another process holds the lock.
type TakenError struct {
	// Lab is the lab's name, without its kind.
	Lab    string
	Holder Holder
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("lab %s is in use by %s: wait until that has ended, or end it", e.Lab, e.Holder)
}

func readHolder(dir *os.Root) (Holder, error) {
	data, err := dir.ReadFile(holderFile)
	if err != nil {
		return Holder{}, err
	}
	var h Holder
	if err := json.Unmarshal(data, &h); err != nil {
		return Holder{}, fmt.Errorf("%s: %w", holderFile, err)
	}
	return h, nil
}

// writeHolder says that this process holds the lock. The file is renamed into place, so that it is whole or absent.
func writeHolder(dir *os.Root) error {
	this, err := owner.This()
	if err != nil {
		return err
	}
	data, err := json.Marshal(Holder{Process: this, Since: time.Now().UTC()})
	if err != nil {
		return err
	}
	if err := dir.WriteFile(holderFile+".new", append(data, '\n'), 0o644); err != nil {
		return err
	}
	return dir.Rename(holderFile+".new", holderFile)
}
