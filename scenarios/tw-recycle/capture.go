package twrecycle

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/capture"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
)

// captured returns what crossed the interface while do ran. It is an error if the capture lost anything.
func captured(ctx context.Context, l lab.Lab, n lab.Node, iface string, do func() error) ([]byte, error) {
	end, endWriter := io.Pipe()
	status, statusWriter := io.Pipe()
	var pcap bytes.Buffer
	done := make(chan error, 1)
	go func() {
		err := n.Run(ctx, machine.Command{
			Argv: []string{l.Agent(), "capture", "--interface=" + iface}, Stdin: end, Stdout: &pcap, Stderr: statusWriter,
		})
		statusWriter.CloseWithError(err)
		done <- err
	}()
	lines := bufio.NewScanner(status)
	if !lines.Scan() || lines.Text() != agent.CaptureReady {
		return nil, errors.Join(fmt.Errorf("capture on %s of %s: %s", iface, n.Name(), lines.Text()), endWriter.Close(), <-done)
	}
	doErr := do()
	if err := endWriter.Close(); err != nil {
		return nil, err
	}
	var stats capture.Stats
	var statsErr error
	if lines.Scan() {
		statsErr = json.Unmarshal(lines.Bytes(), &stats)
	} else {
		statsErr = errors.New("the capture did not say what it lost")
	}
	if err := errors.Join(doErr, statsErr, <-done); err != nil {
		return nil, err
	}
	if stats.Dropped > 0 {
		return nil, fmt.Errorf("the capture on %s of %s lost %d packets", iface, n.Name(), stats.Dropped)
	}
	return pcap.Bytes(), nil
}

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
