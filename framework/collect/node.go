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
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/detectors/evidence"
)

// part is one file of a node and how it is made.
type part struct {
	file  string
	write func(io.Writer) error
}

// Node gathers everything of nodes/NODE/ from the current namespaces and writes it to w as a tar archive. What cannot be
// gathered is left out and listed in evidence.ErrorsFile; the error is about w or ctx alone. Settings that something stands in for
// are handed over by the caller, who made them; there are none on a node that is not a lab's.
func Node(ctx context.Context, w io.Writer, recycle []evidence.TWRecycle) error {
	l := look{ctx: ctx}
	all := append(l.state(), l.counters()...)
	if len(recycle) > 0 {
		all = append(all, part{evidence.TWRecycleFile, func(w io.Writer) error { return json.NewEncoder(w).Encode(recycle) }})
	}
	return writeParts(ctx, w, all, evidence.ErrorsFile)
}

// Later gathers what counts a second time, and writes it to w as Node does, under the names of evidence.Later.
func Later(ctx context.Context, w io.Writer) error {
	l := look{ctx: ctx, later: true}
	all := l.counters()
	for i := range all {
		all[i].file = evidence.Later(all[i].file)
	}
	return writeParts(ctx, w, all, evidence.Later(evidence.ErrorsFile))
}

// writeParts makes the parts one after the other and writes them to w as a tar archive, with a line in errorsFile for each that
// failed.
func writeParts(ctx context.Context, w io.Writer, all []part, errorsFile string) error {
	tw := tar.NewWriter(w)
	now := time.Now()
	var failures bytes.Buffer
	var body bytes.Buffer
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
		if err := writeEntry(tw, errorsFile, failures.Bytes(), now); err != nil {
			return err
		}
	}
	return tw.Close()
}

// look is one look at a node.
type look struct {
	ctx context.Context
	// later says that it is the second, whose rules are needed for their counters alone.
	later bool
	// links are read once, for their own file and for the names in the others.
	links    *linkTable
	linksErr error
	// nftRules is what iptables-nft-save printed.
	nftRules []byte
}

// named makes a part of what needs the names of links.
func (l *look) named(file string, write func(io.Writer, *linkTable) error) part {
	return part{file, func(w io.Writer) error {
		if l.links == nil && l.linksErr == nil {
			l.links, l.linksErr = readLinks()
		}
		if l.linksErr != nil {
			return l.linksErr
		}
		return write(w, l.links)
	}}
}

// state lists the files that are taken once.
func (l *look) state() []part {
	return []part{
		l.named(evidence.AddrFile, addressesJSON),
		l.named(evidence.RouteFile, routesJSON),
		{evidence.PolicyFile, policyJSON},
		l.named(evidence.NeighFile, neighboursJSON),
		l.named(evidence.FDBFile, fdbJSON),
		l.named(evidence.EthtoolFile, features),
		{evidence.UnameFile, uname},
		{evidence.ModulesFile, modules},
		{evidence.LegacyTablesFile, legacyTables},
		{evidence.SubnetFile, verbatim(subnetPath)},
		{evidence.SysctlFile, func(w io.Writer) error { return sysctls(l.ctx, w) }},
		{evidence.ConntrackFile, conntrack},
		{evidence.NFTChainsFile, nftChainsJSON},
	}
}

// counters lists the files that are taken a second time.
func (l *look) counters() []part {
	list := []part{
		l.named(evidence.LinkFile, linksJSON),
		{evidence.NetstatFile, verbatim(netstatPath)},
		{evidence.SNMPFile, verbatim(snmpPath)},
		{evidence.ConntrackStatsFile, conntrackStats},
	}
	for _, s := range iptablesSavers() {
		list = append(list, part{s.file, func(w io.Writer) error { return l.rules(w, s) }})
	}
	return append(list, part{evidence.NFTRulesetFile, func(w io.Writer) error { return nftRuleset(l.ctx, w, l.nftRules, l.later) }})
}

// rules writes a rule set.
func (l *look) rules(w io.Writer, s saver) error {
	text, err := s.run(l.ctx)
	if err != nil {
		return err
	}
	if s.file == evidence.NFTFile {
		l.nftRules = text
	}
	if l.later {
		return writeCounted(w, text)
	}
	_, err = w.Write(text)
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

// errorLine is a line of an evidence.ErrorsFile.
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
