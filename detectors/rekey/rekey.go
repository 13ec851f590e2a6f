// Package rekey renames everything in an evidence bundle that says whose cluster it is, and keeps its structure, so that
// detectors come to the same answers: addresses keep which of them share a network, link addresses their local and group
// bits, nodes their order, ports and counters stay. It is for bundles that leave the house (`netfault anonymise`), and for
// tests: the report of a re-keyed bundle is the re-keyed report.
//
// What stays as it is, since it says nothing of whose cluster it is or since the answer hangs on it: the range of an
// address (private, shared, loopback, link-local, multicast), the last eight bits of IPv4 addresses, numbers of
// interfaces, ports, times, counters, names of interfaces that hold no node's name, kernel releases, and the names of
// chains and sets that Kubernetes, flannel, Docker and others write everywhere alike.
//
// Nothing is copied unread. A file that is not known here is left out and named; one that is known and cannot be read is
// named, too, and an empty file stands in its place, which detectors take as unknown, never as clean.
package rekey

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/netfault/netfault/detectors/evidence"
)

// Key decides the new names. The same key gives the same bundle the same names; who has it can find the old ones again by
// trying, so it is thrown away after use.
type Key [32]byte

// NewKey returns a key that nobody knows.
func NewKey() Key {
	var k Key
	rand.Read(k[:]) //nolint:errcheck // it never fails (crypto/rand)
	return k
}

// sum is a keyed pseudo-random function of the parts, for one use.
func (k *Key) sum(use string, parts ...[]byte) [sha256.Size]byte {
	h := hmac.New(sha256.New, k[:])
	h.Write(append([]byte(use), 0))
	for _, p := range parts {
		h.Write(p)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// LeftOut is a file of the bundle, or a part of one, that was not carried over.
type LeftOut struct {
	// File is the path in the original bundle.
	File string
	// Reason says why.
	Reason string
}

// Bundle re-keys the bundle whose top folder is the root of fsys, and hands every file of the new one to put, bundle.json
// last. It reads the bundle twice, the first time to learn its names. The error is that of ctx, of put, or of addresses
// that cannot get others; files that cannot be used are no error and stand in the second result, in the order of their
// paths.
func Bundle(ctx context.Context, fsys fs.FS, key Key, put func(file string, data []byte) error) (*Names, []LeftOut, error) {
	return Moved(ctx, fsys, key, 0, put)
}

// Moved is Bundle with every point in time moved by so much: when the bundle was taken, when rules were printed, when packets
// were seen. Lengths of time stay, and what hosts tell each other of their clocks in packets.
func Moved(ctx context.Context, fsys fs.FS, key Key, by time.Duration, put func(file string, data []byte) error) (*Names, []LeftOut, error) {
	files, left, err := list(fsys)
	if err != nil {
		return nil, nil, err
	}
	n := newNames(key)
	n.by = by
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		n.file(f)
		if data, err := read(fsys, f.path); err == nil {
			// What cannot be read is told the second time.
			_, _, _ = f.rewrite(n, data)
		}
	}
	if err := n.settle(); err != nil {
		return nil, nil, err
	}
	n.nameCaptures(files)
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		data, note, reason := rekeyed(fsys, n, f)
		if reason != nil {
			left = append(left, LeftOut{File: f.path, Reason: reason.Error()})
			if f.optional {
				continue
			}
		}
		if note != "" {
			left = append(left, LeftOut{File: f.path, Reason: note})
		}
		if err := put(n.path(f), data); err != nil {
			return nil, nil, err
		}
	}
	n.freeze()
	slices.SortStableFunc(left, func(a, b LeftOut) int { return strings.Compare(a.File, b.File) })
	return n, left, nil
}

// rekeyed returns the new text of a file; note says what of it is left out, and reason why there is none.
func rekeyed(fsys fs.FS, n *Names, f file) (data []byte, note string, reason error) {
	data, err := read(fsys, f.path)
	if err != nil {
		return nil, "", err
	}
	data, note, err = f.rewrite(n, data)
	if err != nil {
		return nil, "", err
	}
	return data, note, nil
}

// maxFile is the most bytes that a file may have. It is in memory as a whole.
const maxFile = 256 << 20

func read(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, reasonOf(err)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("longer than %d bytes", maxFile)
	}
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, reasonOf(err)
	}
	return data, nil
}

// reasonOf takes the path away that package fs puts before a reason.
func reasonOf(err error) error {
	if p, ok := err.(*fs.PathError); ok {
		return p.Err
	}
	return err
}

// file is one file of a bundle that is known here.
type file struct {
	path string
	// node is whose it is, empty for the cluster's.
	node string
	treatment
}

// list returns the files of a bundle in the order of their paths, bundle.json last, and what is not known.
func list(fsys fs.FS) (files []file, left []LeftOut, err error) {
	var info []file
	err = fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			if p == "." {
				return fmt.Errorf("read bundle: %w", err)
			}
			left = append(left, LeftOut{File: p, Reason: reasonOf(err).Error()})
			return nil
		}
		if d.IsDir() {
			return nil
		}
		f, reason := knownFile(p)
		switch {
		case !d.Type().IsRegular():
			reason = "not a regular file"
			fallthrough
		case reason != "":
			left = append(left, LeftOut{File: p, Reason: reason})
		case p == evidence.InfoFile:
			info = append(info, f)
		default:
			files = append(files, f)
		}
		return nil
	})
	return append(files, info...), left, err
}

// knownFile says how the file at a path is rewritten, or why it is not.
func knownFile(p string) (f file, reason string) {
	if k, ok := clusterFiles[p]; ok {
		return file{path: p, treatment: k}, ""
	}
	parts := strings.Split(p, "/")
	if len(parts) < 3 || parts[0] != "nodes" {
		return file{}, "not a file that netfault knows"
	}
	node := parts[1]
	if err := evidence.CheckNodeName(node); err != nil {
		return file{}, "its folder is not named like a node"
	}
	name := path.Join(parts[2:]...)
	ext := path.Ext(name)
	// FILE-later is FILE taken again.
	for _, name := range []string{name, strings.TrimSuffix(strings.TrimSuffix(name, ext), "-later") + ext} {
		if k, ok := nodeFiles[name]; ok {
			return file{path: p, node: node, treatment: k}, ""
		}
	}
	if len(parts) == 4 && parts[2] == capturesDir && strings.Contains(parts[3], ".pcap") && !strings.HasSuffix(parts[3], ".part") {
		return file{path: p, node: node, treatment: treatment{rewrite: rewriteCapture}}, ""
	}
	return file{}, "not a file that netfault knows"
}

// capturesDir stands under nodes/NODE/.
const capturesDir = "captures"
