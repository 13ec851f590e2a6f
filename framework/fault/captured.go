package fault

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/capture"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
)

// Captured returns as pcap which TCP connections opened and closed on an interface of a machine while do ran. It is an error if the capture lost anything.
func Captured(ctx context.Context, l lab.Lab, n machine.Machine, iface string, do func() error) ([]byte, error) {
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
