// Package procsys reads and writes the sysctls of the current network namespace, those under /proc/sys/net.
package procsys

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	root   = "/proc/sys"
	subdir = "net"
)

// Entry is one sysctl.
type Entry struct {
	// Key is as sysctl(8) prints it: "net.ipv4.conf.flannel/1.forwarding", with the dots of a name as slashes.
	Key string
	// Value has no newline at its end; a few sysctls have several lines.
	Value string
	// Writable says whether the file's owner may write it. What a namespace only sees of the whole machine, and
	// counts such as nf_conntrack_count, cannot be written.
	Writable bool
}

// leftOut says whether a file is left out: secrets, which must not leave the machine, and the two that sysctl(8) leaves out
// too, since they are the old form of base_reachable_time_ms and retrans_time_ms.
func leftOut(name string) bool {
	switch name {
	case "stable_secret", "tcp_fastopen_key", "base_reachable_time", "retrans_time":
		return true
	}
	return false
}

// Read returns all sysctls that can be read, sorted by path. Secrets, write-only ones (such as route.flush) and those of a
// link that goes away meanwhile are left out.
func Read(ctx context.Context) ([]Entry, error) {
	fd, err := unix.Open(root+"/"+subdir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s/%s: %w", root, subdir, err)
	}
	r := reader{ctx: ctx, buf: make([]byte, 16<<10)}
	if err := r.dir(fd, subdir); err != nil {
		return nil, err
	}
	return r.entries, nil
}

type reader struct {
	ctx     context.Context
	buf     []byte
	entries []Entry
}

// dir reads the folder behind fd, which it closes. Names are opened relative to it: there are thousands.
func (r *reader) dir(fd int, prefix string) error {
	f := os.NewFile(uintptr(fd), root+"/"+prefix)
	defer f.Close()
	if err := r.ctx.Err(); err != nil {
		return err
	}
	list, err := f.ReadDir(-1)
	if vanished(err) {
		return nil
	}
	if err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b os.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range list {
		key := prefix + "." + strings.ReplaceAll(e.Name(), ".", "/")
		if e.IsDir() {
			sub, err := unix.Openat(fd, e.Name(), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
			if vanished(err) {
				continue
			}
			if err != nil {
				return fmt.Errorf("open sysctl folder %s: %w", key, err)
			}
			if err := r.dir(sub, key); err != nil {
				return err
			}
			continue
		}
		if leftOut(e.Name()) {
			continue
		}
		if err := r.file(fd, e.Name(), key); err != nil {
			return fmt.Errorf("read sysctl %s: %w", key, err)
		}
	}
	return nil
}

func (r *reader) file(dir int, name, key string) error {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if unreadable(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	n, err := readAll(fd, &r.buf)
	if unreadable(err) {
		return nil
	}
	if err != nil {
		return err
	}
	r.entries = append(r.entries, Entry{
		Key:      key,
		Value:    strings.TrimRight(string(r.buf[:n]), "\n"),
		Writable: st.Mode&unix.S_IWUSR != 0,
	})
	return nil
}

// readAll reads until less comes than there is room for, growing buf as needed: the kernel gives a sysctl whole, or as much of it as
// there is room for (kernel/sysctl.c, v6.1).
func readAll(fd int, buf *[]byte) (int, error) {
	n := 0
	for {
		if n == len(*buf) {
			*buf = append(*buf, make([]byte, len(*buf))...)
		}
		got, err := unix.Read(fd, (*buf)[n:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return n, err
		}
		n += got
		if n < len(*buf) {
			return n, nil
		}
	}
}

// vanished says that a link went away with its files.
func vanished(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV)
}

// unreadable says that a sysctl is write-only (EACCES, EPERM), has no value yet (EIO), or vanished.
func unreadable(err error) bool {
	return vanished(err) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EIO)
}

// Path returns the file of a sysctl, whose key must be one under "net." as in Entry.
func Path(key string) (string, error) {
	parts := strings.Split(key, ".")
	if len(parts) < 2 || parts[0] != subdir {
		return "", fmt.Errorf("%q is not a sysctl under %s", key, subdir)
	}
	for i, p := range parts {
		p = strings.ReplaceAll(p, "/", ".")
		if p == "" || p == "." || p == ".." {
			return "", fmt.Errorf("%q is not a sysctl under %s", key, subdir)
		}
		parts[i] = p
	}
	return root + "/" + strings.Join(parts, "/"), nil
}

// Write sets a sysctl. The error names the file; fs.ErrNotExist means that this kernel or namespace does not have it.
func Write(key, value string) error {
	path, err := Path(key)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value + "\n")
	return errors.Join(err, f.Close())
}
