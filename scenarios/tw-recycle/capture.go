package twrecycle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/netfault/netfault/detectors/evidence"
)

// request is one connection that a client asked for, however often it sent its SYN.
type request struct {
	tsval    uint32
	answered bool
}

// requestTable is the incident's table: each request's timestamp, and whether it was answered.
func requestTable(node, iface string, pcap []byte) ([]string, error) {
	dir, err := os.MkdirTemp("", "netfault-capture-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	name := iface + ".pcap"
	file := filepath.Join(dir, filepath.FromSlash(evidence.CaptureFile(node, name)))
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, pcap, 0o644)); err != nil {
		return nil, err
	}
	b, err := evidence.Open(dir)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	type ends struct {
		client, server string
		seq            uint32
	}
	open := map[ends]*request{}
	var all []*request
	for s, err := range b.Segments(node, name) {
		if err != nil {
			return nil, err
		}
		switch {
		case s.SYN && s.ACK:
			if r := open[ends{s.Dst.String(), s.Src.String(), s.AckSeq - 1}]; r != nil {
				r.answered = true
			}
		case s.SYN:
			key := ends{s.Src.String(), s.Dst.String(), s.Seq}
			if open[key] == nil {
				open[key] = &request{tsval: s.TSVal}
				all = append(all, open[key])
			}
		}
	}
	lines := []string{fmt.Sprintf("  %7s  %10s  %s", "request", "TSval", "answered")}
	for i, r := range all {
		answered := "no"
		if r.answered {
			answered = "yes"
		}
		lines = append(lines, fmt.Sprintf("  %7d  %10d  %s", i+1, r.tsval, answered))
	}
	return lines, nil
}
