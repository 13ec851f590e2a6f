package owner

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// MakeFolder makes a lab's folder, and the one that all labs of its kind have in common. The error wraps fs.ErrExist if the lab has one
// already.
func MakeFolder(dir string) error {
	common := filepath.Dir(dir)
	if err := os.MkdirAll(filepath.Dir(common), 0o755); err != nil {
		return err
	}
	for {
		if err := os.Mkdir(common, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		// Whoever removes the last lab takes the common folder along, perhaps right between the two.
		if err := os.Mkdir(dir, 0o755); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
}

// RemoveFolder removes a lab's folder, and with the last one what they have in common. It is no error if either is gone.
func RemoveFolder(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Remove(filepath.Dir(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		return err
	}
	return nil
}
