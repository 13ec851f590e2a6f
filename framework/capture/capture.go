// Package capture records the TCP packets that cross an interface, without libpcap and without promiscuous mode, which
// would hide faults of link addresses.
package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// patience is how long a capture waits for its own frame to come by.
const patience = time.Second

// Capture is a capture that is running.
type Capture struct {
	iface      string
	handle     *pcapgo.EthernetHandle
	sender     *sender
	begin, end marker
	file       *pcapgo.Writer
	ready      chan struct{}
	done       chan struct{}
	// leave parts the capture from its context and reports whether the context had not ended; cause says why it has.
	leave func() bool
	cause func() error

	// packets and err are those of run, and may be read when done is closed.
	packets uint64
	err     error
}

// Stats counts what became of the packets that a capture's filter passed.
type Stats struct {
	// Packets is how many were written.
	Packets uint64
	// Dropped is how many the kernel threw away since they came faster than they were written (PACKET_STATISTICS): a
	// capture with any is no proof that a packet did not come.
	Dropped uint64
}

// Start captures on iface, in the network namespace of the calling thread, which must be locked to it, and writes to w as a
// pcap file with nanoseconds, each packet as it comes. It returns when the capture has seen a frame of its own cross the
// interface, so that from then on silence means that no packet came; an interface on which that does not happen is an
// error. Packets are seen as tcpdump sees them: before netfilter and tc when they come in, after both when they go out. The
// interface must be of Ethernet's kind (veth, bridge, VXLAN, …) and up. When ctx ends, so does the capture, with an error.
func Start(ctx context.Context, iface string, filter Filter, w io.Writer) (*Capture, error) {
	c, err := open(iface, filter)
	if err != nil {
		return nil, fmt.Errorf("capture on %s: %w", iface, err)
	}
	c.file = pcapgo.NewWriterNanos(w)
	if err := c.file.WriteFileHeader(snapLen, layers.LinkTypeEthernet); err != nil {
		return nil, errors.Join(fmt.Errorf("capture on %s: write: %w", iface, err), c.close())
	}
	go c.run()
	// Nothing but closing it ends a socket's wait.
	c.leave = context.AfterFunc(ctx, func() { c.handle.Close() })
	c.cause = func() error { return context.Cause(ctx) }
	if err := c.see(c.begin, c.ready); err != nil {
		if !c.leave() {
			err = c.cause()
		}
		c.close()
		<-c.done
		return nil, fmt.Errorf("capture on %s: %w", iface, err)
	}
	return c, nil
}

func open(iface string, filter Filter) (*Capture, error) {
	link, err := net.InterfaceByName(iface)
	if err != nil {
		return nil, err
	}
	if len(link.HardwareAddr) != 6 {
		return nil, errors.New("not an Ethernet interface")
	}
	program, err := filter.program()
	if err != nil {
		return nil, err
	}
	c := &Capture{iface: iface, ready: make(chan struct{}), done: make(chan struct{})}
	c.begin, c.end = newMarkers(link.HardwareAddr)
	if c.sender, err = newSender(link.Index); err != nil {
		return nil, err
	}
	if c.handle, err = pcapgo.NewEthernetHandle(iface); err != nil {
		return nil, errors.Join(err, c.sender.close())
	}
	err = errors.Join(c.handle.SetCaptureLength(snapLen), c.handle.SetBPF(program))
	if err == nil {
		// What came before the filter was in place counts for nothing; reading the counts sets them to 0.
		_, err = c.handle.Stats()
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// run writes what comes between the two markers.
func (c *Capture) run() {
	defer close(c.done)
	started := false
	for {
		frame, info, err := c.handle.ZeroCopyReadPacketData()
		switch {
		case err != nil:
			c.err = err
			return
		case isMarker(frame):
			if !started && bytes.Equal(frame, c.begin) {
				started = true
				close(c.ready)
			}
			if bytes.Equal(frame, c.end) {
				return
			}
		case started:
			if err := c.file.WritePacket(info, frame); err != nil {
				c.err = fmt.Errorf("write: %w", err)
				return
			}
			c.packets++
		}
	}
}

// see sends m, again and again since the kernel drops it where the socket's buffer is full, until it was seen or run has
// ended.
func (c *Capture) see(m marker, seen <-chan struct{}) error {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	again := time.NewTicker(patience / 20)
	defer again.Stop()
	for {
		if err := c.sender.send(m); err != nil {
			return fmt.Errorf("send a frame, to see it come by: %w", err)
		}
		select {
		case <-seen:
			return nil
		case <-c.done:
			return c.err
		case <-limit.C:
			return fmt.Errorf("its own frame did not come by within %v", patience)
		case <-again.C:
		}
	}
}

// Stop ends the capture after every packet that crossed the interface before the call has been written. The error says so
// if that is not certain, or if the capture ended before; the file then holds what had come by. Stop is called once.
func (c *Capture) Stop() (Stats, error) {
	err := c.see(c.end, nil)
	if !c.leave() {
		err = c.cause()
	}
	stats := Stats{}
	kernel, statsErr := c.handle.Stats()
	closeErr := c.close()
	<-c.done
	stats.Packets = c.packets
	if err == nil {
		err = errors.Join(statsErr, closeErr)
	}
	if kernel != nil {
		stats.Dropped = uint64(kernel.Drops)
	}
	if err != nil {
		err = fmt.Errorf("capture on %s: %w", c.iface, err)
	}
	return stats, err
}

func (c *Capture) close() error {
	return errors.Join(c.handle.Close(), c.sender.close())
}
