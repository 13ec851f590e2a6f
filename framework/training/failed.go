package training

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// failedFile is in the store's folder, and says why the last start failed.
const failedFile = "failed-start.txt"

// spoils is the failure of a start, whose own words would give the fault away: they go into a file, for who wants to know.
func (s *Site) spoils(err error) error {
	file := filepath.Join(filepath.Dir(s.Attempt.dir), failedFile)
	if failed := os.WriteFile(file, []byte(s.Exercise.Code+": "+err.Error()+"\n"), 0o600); failed != nil {
		err = errors.Join(err, failed)
	}
	return &Error{Err: err, Told: told(
		"the network could not be made as the exercise wants it, and is removed. Why stands in "+file+", which gives the exercise away",
		"没能把网络弄成练习所需的样子，网络已经删除。原因在 "+file+" 里，看了就知道练习的答案")}
}

// ended is that a start was ended, by a signal or a page that closed.
func ended(ctx context.Context) error {
	err := context.Cause(ctx)
	return &Error{Told: told(err.Error(), inChinese(err.Error())), Err: err}
}
