package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"time"
)

// plainArchive compresses a tar archive of a root file system. All files get one time, so that the same files give the same archive, and
// no program makes who runs it another user.
func plainArchive(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	partial := to + ".partial"
	out, err := os.Create(partial)
	if err != nil {
		return err
	}
	compressed := gzip.NewWriter(out)
	if err := errors.Join(copyPlain(compressed, in), compressed.Close(), out.Close()); err != nil {
		return errors.Join(err, os.Remove(partial))
	}
	return os.Rename(partial, to)
}

func copyPlain(w io.Writer, r io.Reader) error {
	in, out := tar.NewReader(r), tar.NewWriter(w)
	for {
		header, err := in.Next()
		if err == io.EOF {
			return out.Close()
		}
		if err != nil {
			return err
		}
		header.ModTime, header.AccessTime, header.ChangeTime = time.Unix(0, 0), time.Time{}, time.Time{}
		if header.Typeflag == tar.TypeReg {
			header.Mode &^= setID
		}
		if err := out.WriteHeader(header); err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
	}
}

// setID are the bits set-user-ID and set-group-ID of a mode.
const setID = 0o6000
