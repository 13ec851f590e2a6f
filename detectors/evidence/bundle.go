// Package evidence reads bundles: folders of plain files that standard tools print, described in docs/EVIDENCE.md.
//
// Reading is strict and bounded. A file that is missing, empty, cut short or not what the tool prints is an error that
// names it, never an absence of faults: an empty file is what a failed command leaves behind a shell's redirection, so it
// is not taken for an empty list, which `ip -j` and `bridge -j` print as []. Files are streamed; what is in memory at a
// time is one entry of each file being read, and an entry longer than 1 MiB is an error.
package evidence

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"syscall"
)

// Bundle is a readable bundle. Its methods may be used by several goroutines at once.
type Bundle struct {
	fsys   fs.FS
	closer io.Closer
	shared shared
}

// New returns the bundle whose top folder is the root of fsys.
func New(fsys fs.FS) *Bundle {
	return &Bundle{fsys: fsys}
}

// Open returns the bundle in the folder dir. Nothing outside dir is ever read: a symbolic link that leads out of it is an
// error when it is met. The caller must Close the bundle.
func Open(dir string) (*Bundle, error) {
	root, err := openRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open bundle: %w", err)
	}
	return &Bundle{fsys: root, closer: root}, nil
}

// Close releases what Open opened.
func (b *Bundle) Close() error {
	if b.closer == nil {
		return nil
	}
	return b.closer.Close()
}

// FileError says which file of a bundle could not be used, and why.
// A file that is not there matches errors.Is(err, fs.ErrNotExist).
type FileError struct {
	// File is the path inside the bundle, with forward slashes.
	File string
	// Err is the reason; it does not repeat the path.
	Err error
}

// Error returns the path and the reason.
func (e *FileError) Error() string { return e.File + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *FileError) Unwrap() error { return e.Err }

// errMissing is the reason of a file that is not there, of which the collection says nothing.
var errMissing error = missing{}

func (missing) Is(target error) bool { return target == fs.ErrNotExist }

// fileError wraps err unless it is nil or a *FileError already, and strips the path that package fs puts before it.
func fileError(file string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*FileError](err); ok {
		return err
	}
	if p, ok := err.(*fs.PathError); ok {
		err = p.Err
	}
	if err == fs.ErrNotExist || err == syscall.ENOENT {
		err = errMissing
	}
	return &FileError{File: file, Err: err}
}

// open opens a regular file. Anything else (a folder, a FIFO, a device) is refused, since reading it could hang. Where the
// collection says why a file is not there, so does the error.
func (b *Bundle) open(file string) (fs.File, error) {
	f, err := b.fsys.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &FileError{File: file, Err: missing{b.whyMissing(file)}}
	}
	if err != nil {
		return nil, fileError(file, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, fileError(file, err)
	}
	return f, nil
}

// Nodes returns the sorted names of the folders under nodes/. A folder whose name is not a node name is an error;
// plain files there are passed over.
func (b *Bundle) Nodes() ([]string, error) {
	folder, err := fs.ReadDir(b.fsys, NodesDir)
	if err != nil {
		return nil, fileError(NodesDir, err)
	}
	var names []string
	for _, e := range folder {
		dir := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			info, err := fs.Stat(b.fsys, path.Join(NodesDir, e.Name()))
			if err != nil {
				return nil, fileError(NodesDir, fmt.Errorf("symbolic link %q: %w", e.Name(), err))
			}
			dir = info.IsDir()
		}
		if !dir {
			continue
		}
		if err := CheckNodeName(e.Name()); err != nil {
			return nil, fileError(NodesDir, err)
		}
		names = append(names, e.Name())
	}
	return names, nil
}

// Info returns bundle.json. A layout version other than LayoutVersion is an error, and so is a wrong name among Nodes.
func (b *Bundle) Info() (Info, error) {
	var info Info
	err := b.decode(InfoFile, func(d *decoder) error {
		if err := d.value(&info); err != nil {
			return err
		}
		if info.Version != LayoutVersion {
			return fmt.Errorf("layout version %d: this program reads version %d", info.Version, LayoutVersion)
		}
		for _, node := range info.Nodes {
			if err := CheckNodeName(node); err != nil {
				return fmt.Errorf("nodes: %w", err)
			}
		}
		return nil
	})
	return info, err
}

// Probes returns cluster/probes.json, in its order. Whoever reads it must not take the strings of a probe, other than
// From and To, for more than text: they come from the network.
func (b *Bundle) Probes() ([]Probe, error) {
	var probes []Probe
	err := b.decode(ProbesFile, func(d *decoder) error {
		return d.array(func() error {
			var p Probe
			if err := d.value(&p); err != nil {
				return err
			}
			if p.Kind == "" {
				return errors.New("a probe has no kind")
			}
			if err := CheckNodeName(p.From); err != nil {
				return fmt.Errorf("from: %w", err)
			}
			if err := CheckNodeName(p.To); err != nil {
				return fmt.Errorf("to: %w", err)
			}
			p.Pos = d.at
			probes = append(probes, p)
			return nil
		})
	})
	return probes, err
}
