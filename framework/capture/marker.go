package capture

import (
	"crypto/rand"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// marker is a capture's own frame: what it must see before it believes in silence, and after which nothing is to come.
// It goes from the interface to the interface's own address, so that neither a bridge nor a switch passes it on.
type marker []byte

// newMarkers returns the two frames of one capture.
func newMarkers(mac net.HardwareAddr) (begin, end marker) {
	frame := func(text string) marker {
		m := append(append(marker{}, mac...), mac...)
		m = append(m, markerType>>8, markerType&0xff)
		return append(m, text...)
	}
	id := rand.Text()
	return frame("netfault capture " + id + " begins"), frame("netfault capture " + id + " ends")
}

// isMarker reports whether a frame is of this capture or of another one.
func isMarker(frame []byte) bool {
	return len(frame) > offIP && frame[offType] == markerType>>8 && frame[offType+1] == markerType&0xff
}

// sender is a packet socket that receives nothing. A capture's own socket cannot send its markers: a packet socket does not
// see what it sent itself (net/core/dev.c: skb_loop_sk).
type sender struct {
	fd    int
	index int
}

func newSender(index int) (*sender, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	return &sender{fd: fd, index: index}, nil
}

func (s *sender) send(m marker) error {
	return unix.Sendto(s.fd, m, 0, &unix.SockaddrLinklayer{Ifindex: s.index})
}

func (s *sender) close() error { return unix.Close(s.fd) }
