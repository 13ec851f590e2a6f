package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/netfault/netfault/framework/capture"
)

// CaptureReady is what Capture writes once it has proved that it sees what crosses the interface.
const CaptureReady = "capturing"

// Capture writes the openings and ends of TCP connections that cross iface to pcap until end is closed, and to status the
// line CaptureReady and, at the end, its capture.Stats as JSON.
func Capture(ctx context.Context, iface string, end io.Reader, pcap, status io.Writer) error {
	c, err := capture.Start(ctx, iface, capture.Openings, pcap)
	if err != nil {
		return err
	}
	fmt.Fprintln(status, CaptureReady)
	_, endErr := io.Copy(io.Discard, end)
	stats, err := c.Stop()
	return errors.Join(endErr, err, json.NewEncoder(status).Encode(stats))
}
