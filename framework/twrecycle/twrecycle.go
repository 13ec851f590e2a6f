// Package twrecycle does for one interface of a network namespace what the setting net.ipv4.tcp_tw_recycle=1 did for
// kernels before 4.12, which removed it: it remembers the last timestamp of peers whose connections the local side closed
// first, and silently drops their SYNs with older timestamps for the next 60 seconds.
//
// It is a pair of tc programs at the interface where the listening socket is, such as eth0 inside a pod. Which socket a
// segment is for, its state, the timestamp that it accepted last and the settings of its namespace are read from the
// running kernel, so the programs see what the kernel does and not only what the packets say. Needed are Linux 5.11 or
// newer with type information (CONFIG_DEBUG_INFO_BTF), and root.
//
// The rules are those of 3.10, of Red Hat's 3.10.0-1160 (el7), and of 4.4 to 4.11, as read in their sources and measured on
// those kernels; testdata has a part of the measurements, and package replay repeats them.
//
// What differs from the old kernels:
//   - IPv4 only, and only at this interface: neither loopback nor the namespace's other interfaces.
//   - A socket that was shut down for sending (FIN_WAIT2) and is closed only later makes its record when the peer's FIN
//     arrives, not at close(): no packet tells of the close().
//   - A SYN that reuses a connection's own ports after its 3.5 retransmission timeouts in TIME_WAIT, and passes the check,
//     meets today's TIME_WAIT of 60 s. One with neither a newer timestamp nor a newer sequence number then gets a challenge
//     ACK, where the old kernels sent a SYN-ACK.
//   - With net.ipv4.tcp_fin_timeout above 60 s, an orphan's record is made when its FIN is acknowledged, not later.
//   - A record is forgotten only when there are more than 4096, the least recently used first.
//   - Outgoing connections do not take over the record's timestamp.
package twrecycle

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/internal/tcbpf"
)

// Name marks the tc filters. It does not tell what they do: whoever looks for a fault in a sealed lab may list them.
const Name = "tcp_stack"

// pair is how the programs are attached.
var pair = tcbpf.Pair{Name: Name, Priority: 110}

// ErrNotAttached says that an interface has no emulated setting.
var ErrNotAttached = tcbpf.ErrNotAttached

// Permitted says why this process, and so the labs that it makes, cannot have the setting; nil if it can.
func Permitted() error { return tcbpf.Permitted() }

// Semantics are the rules of some kernel versions.
type Semantics uint32

const (
	// V310 are those of 3.10: one record for each peer address; SYNs without timestamps are let through, and SYN cookies
	// that are sent always (net.ipv4.tcp_syncookies=2) make no difference.
	V310 Semantics = iota + 1
	// EL7 are those of 3.10.0-1160.el7: one record for each pair of peer and local address; SYNs without timestamps are
	// dropped while a record is younger than 60 s; nothing is dropped while SYN cookies are sent always.
	EL7
	// V4 are those of 4.4 to 4.11, which do the same as EL7.
	V4
)

var semanticsNames = map[Semantics]string{V310: "3.10", EL7: "el7", V4: "4.x"}

// String returns "3.10", "el7" or "4.x".
func (s Semantics) String() string {
	if name, ok := semanticsNames[s]; ok {
		return name
	}
	return fmt.Sprintf("unknown semantics %d", uint32(s))
}

// ParseSemantics reads "3.10", "el7" or "4.x".
func ParseSemantics(text string) (Semantics, error) {
	for s, name := range semanticsNames {
		if name == text {
			return s, nil
		}
	}
	return 0, fmt.Errorf("semantics %q: there are 3.10, el7 and 4.x", text)
}

// Options say how the setting is emulated, and whether it is on from the start.
type Options struct {
	Semantics Semantics
	On        bool
}

// Attach gives an interface of the calling thread's network namespace the emulated setting, without any record. It stays
// when the process ends, and goes away with the interface or with Detach.
func Attach(ifindex int, options Options) error {
	if _, ok := semanticsNames[options.Semantics]; !ok {
		return fmt.Errorf("attach %s: %v", Name, options.Semantics)
	}
	l, err := readLayout()
	if err != nil {
		return err
	}
	offset, err := wallOffset()
	if err != nil {
		return err
	}
	return pair.Attach(ifindex, collection(l, options.Semantics), func(maps map[string]*ebpf.Map) error {
		c := config{Semantics: uint32(options.Semantics), Offset: int64(offset)}
		if options.On {
			c.On = 1
		}
		return maps[mapConfig].Put(uint32(0), c)
	})
}

// Detach removes the emulated setting from an interface of the calling thread's network namespace, with its records.
func Detach(ifindex int) error { return pair.Detach(ifindex) }

// Setting is the emulated setting of an interface. Any process can open it; all see the same. The methods may be called
// from any thread.
type Setting struct {
	maps map[string]*ebpf.Map
}

// Open finds the emulated setting of an interface of the calling thread's network namespace; ErrNotAttached if it has none.
func Open(ifindex int) (*Setting, error) {
	maps, err := pair.Maps(ifindex)
	if err != nil {
		return nil, err
	}
	return &Setting{maps}, nil
}

// Close closes this handle; the setting stays.
func (s *Setting) Close() { tcbpf.CloseMaps(s.maps) }

// On says whether the setting is on (1) or off (0).
func (s *Setting) On() (bool, error) {
	c, err := s.config()
	return c.On != 0, err
}

// Semantics returns the rules that it follows.
func (s *Setting) Semantics() (Semantics, error) {
	c, err := s.config()
	return Semantics(c.Semantics), err
}

// Set turns the setting on or off, as sysctl -w did: checking and recording begin or end with the next segment, and the
// records stay. It also reads the wall clock anew, in case somebody has set that since.
func (s *Setting) Set(on bool) error {
	c, err := s.config()
	if err != nil {
		return err
	}
	offset, err := wallOffset()
	if err != nil {
		return err
	}
	c.Offset, c.On = int64(offset), 0
	if on {
		c.On = 1
	}
	if err := s.maps[mapConfig].Put(uint32(0), c); err != nil {
		return fmt.Errorf("%s: set: %w", Name, err)
	}
	return nil
}

func (s *Setting) config() (config, error) {
	var c config
	if err := s.maps[mapConfig].Lookup(uint32(0), &c); err != nil {
		return c, fmt.Errorf("%s: read: %w", Name, err)
	}
	return c, nil
}

// wallOffset returns by how much the wall clock is ahead of the monotonic clock that the programs read: the best of some
// readings, since a process may lose the processor between two clocks.
func wallOffset() (time.Duration, error) {
	const readings = 5
	var offset time.Duration
	least := int64(math.MaxInt64)
	for range readings {
		var before, wall, after unix.Timespec
		if err := errors.Join(
			unix.ClockGettime(unix.CLOCK_MONOTONIC, &before),
			unix.ClockGettime(unix.CLOCK_REALTIME, &wall),
			unix.ClockGettime(unix.CLOCK_MONOTONIC, &after),
		); err != nil {
			return 0, fmt.Errorf("read the clocks: %w", err)
		}
		if took := after.Nano() - before.Nano(); took < least {
			least = took
			offset = time.Duration(wall.Nano() - before.Nano() - took/2)
		}
	}
	return offset, nil
}
