package owner

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/netfault/netfault/framework/lab"
)

// recordFile is the file in a lab's folder that holds what is known of the lab.
const recordFile = "lab.json"

// WriteRecord writes a lab's record into its folder. It is renamed into place, so that a record is whole or absent.
func WriteRecord(dir string, record any) error {
	data, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, recordFile)
	if err := os.WriteFile(path+".new", append(data, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// ReadRecord reads a lab's record from its folder. An error wraps fs.ErrNotExist if there is none.
func ReadRecord(dir string, record any) error {
	path := filepath.Join(dir, recordFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, record); err != nil {
		return fmt.Errorf("%s cannot be read, so that nobody knows what the lab was: %w; `%s` removes the lab",
			path, err, lab.Command(filepath.Base(dir), "lab down"))
	}
	return nil
}

// HasRecord returns an error, which wraps fs.ErrNotExist, if the folder has no record.
func HasRecord(dir string) error {
	_, err := os.Stat(filepath.Join(dir, recordFile))
	return err
}

// Keep lets the lab of a folder outlive the process that it belongs to: it stands on its own from now on. The record is any
// that has its Process as "owner".
func Keep(dir string) error {
	var record map[string]json.RawMessage
	if err := ReadRecord(dir, &record); err != nil {
		return err
	}
	nobody, err := json.Marshal(Process{})
	if err != nil {
		return err
	}
	record["owner"] = nobody
	return WriteRecord(dir, record)
}
