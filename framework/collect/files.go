package collect

import (
	"bufio"
	"errors"
	"io"
	"os"
)

// writeWhole writes a file under another name and renames it at the end: a file that has its own name is whole.
func writeWhole(root *os.Root, file string, write func(io.Writer) error) error {
	part := file + ".part"
	f, err := root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	err = write(out)
	if err == nil {
		err = out.Flush()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = root.Rename(part, file)
	}
	if err != nil {
		return errors.Join(err, root.Remove(part))
	}
	return nil
}

// appendLine adds a line to a file, which it makes if need be.
func appendLine(root *os.Root, file, line string) error {
	f, err := root.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, line+"\n")
	return errors.Join(err, f.Close())
}
