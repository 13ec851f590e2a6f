package training

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// servingDir is the folder of a store, and no attempt, in which servingFile is locked by who serves its exercises, with that process's ID.
const (
	servingDir  = "serving"
	servingFile = "by"
)

// Serving says that this process begins exercises of the store which end with it, until release is called. Only one may: another would
// take those that it finds for left over. The kernel ends it with the process, however that ends.
func (s Store) Serving() (release func() error, err error) {
	dir := filepath.Join(s.Dir, servingDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, servingFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		by, readErr := io.ReadAll(io.LimitReader(f, 64))
		return nil, errors.Join(readErr, f.Close(), fmt.Errorf("process %s serves exercises of %s: end it first, or set %s to another folder for this one",
			strings.TrimSpace(string(by)), s.Dir, DirVariable))
	}
	if err == nil {
		err = errors.Join(f.Truncate(0), writeAt(f, fmt.Sprintln(os.Getpid())))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}
