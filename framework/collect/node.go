// Package collect gathers evidence bundles (docs/EVIDENCE.md). Node runs on a node, in its namespaces, and writes that
// node's files as a tar stream; Gather runs beside the user and puts the streams of all nodes into a folder.
package collect

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/detectors/evidence"
)

// ErrorsFile is the file among a node's that says what could not be collected and why, a line "FILE: reason" for each. It
// is there only if something failed.
const ErrorsFile = "collect-errors.txt"

// netstatPath is the calling thread's own: /proc/net would be that of the process's first thread.
const netstatPath = "/proc/thread-self/net/netstat"

// part is one file of a node and how it is made.
type part struct {
	file  string
	write func(io.Writer) error
}

// Node gathers everything of nodes/NODE/ from the current namespaces and writes it to w as a tar archive. What cannot be
// gathered is left out and listed in ErrorsFile; the error is about w or ctx alone. Settings that something stands in for
// are handed over by the caller, who made them; there are none on a node that is not a lab's.
func Node(ctx context.Context, w io.Writer, recycle []evidence.TWRecycle) error {
	tw := tar.NewWriter(w)
	now := time.Now()
	var failures bytes.Buffer
	var body bytes.Buffer
	all := parts(ctx)
	if len(recycle) > 0 {
		all = append(all, part{evidence.TWRecycleFile, func(w io.Writer) error { return json.NewEncoder(w).Encode(recycle) }})
	}
	for _, p := range all {
		body.Reset()
		if err := p.write(&body); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			fmt.Fprintln(&failures, errorLine(p.file, err))
			continue
		}
		if err := writeEntry(tw, p.file, body.Bytes(), now); err != nil {
			return err
		}
	}
	if failures.Len() > 0 {
		if err := writeEntry(tw, ErrorsFile, failures.Bytes(), now); err != nil {
			return err
		}
	}
	return tw.Close()
}

// parts lists a node's files. The links are read once, for their own file and for the names in the others.
func parts(ctx context.Context) []part {
	table, err := readLinks()
	named := func(write func(io.Writer, *linkTable) error) func(io.Writer) error {
		return func(w io.Writer) error {
			if err != nil {
				return err
			}
			return write(w, table)
		}
	}
	list := []part{
		{evidence.LinkFile, named(linksJSON)},
		{evidence.AddrFile, named(addressesJSON)},
		{evidence.RouteFile, named(routesJSON)},
		{evidence.NeighFile, named(neighboursJSON)},
		{evidence.FDBFile, named(fdbJSON)},
		{evidence.NetstatFile, netstat},
		{evidence.UnameFile, uname},
		{evidence.SysctlFile, func(w io.Writer) error { return sysctls(ctx, w) }},
		{evidence.ConntrackFile, conntrack},
		{evidence.NFTChainsFile, nftChainsJSON},
	}
	for _, s := range iptablesSavers() {
		list = append(list, part{s.file, func(w io.Writer) error { return s.write(ctx, w) }})
	}
	return list
}

func netstat(w io.Writer) error {
	b, err := os.ReadFile(netstatPath)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// uname writes the kernel's release as `uname -r` prints it.
func uname(w io.Writer) error {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, unix.ByteSliceToString(name.Release[:]))
	return err
}

// errorLine is a line of ErrorsFile.
func errorLine(file string, err error) string {
	return file + ": " + strings.Join(strings.Fields(err.Error()), " ")
}

func writeEntry(tw *tar.Writer, name string, body []byte, modified time.Time) error {
	err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(body)), Mode: 0o644, ModTime: modified})
	if err != nil {
		return err
	}
	_, err = tw.Write(body)
	return err
}
