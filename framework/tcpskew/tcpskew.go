// Package tcpskew gives a network namespace a TCP timestamp clock (RFC 7323) of its own: the first SYN that leaves an
// interface carries exactly the timestamp that was asked for, and from there the clock runs on by 1 ms per ms, for all
// connections. To the namespace's own TCP nothing changes: what leaves gets a constant added to its TSval, and what arrives
// has it taken off its TSecr.
//
// It is a pair of tc programs at an Ethernet interface, such as a pod's eth0. IPv4 only. Needed are Linux 5.12 or newer and
// root. Connections that are open already when the first SYN leaves see their clock jump, so attach before any.
package tcpskew

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"

	"github.com/netfault/netfault/framework/internal/tcbpf"
)

// Name marks the tc filters. It does not tell what they do: whoever looks for a fault in a sealed lab may list them.
const Name = "tcp_time"

// pair is how the programs are attached.
var pair = tcbpf.Pair{Name: Name, Priority: 120}

// ErrNotAttached says that an interface has no skewed clock.
var ErrNotAttached = tcbpf.ErrNotAttached

// timestampsPath is the namespace's setting: 0 none, 1 with a random offset for each connection, 2 without.
const timestampsPath = "/proc/sys/net/ipv4/tcp_timestamps"

// Attach gives an interface of the calling thread's network namespace a skewed clock. firstTSval is the timestamp, in
// milliseconds as all of them, that the first SYN carries. The namespace's net.ipv4.tcp_timestamps becomes 2 until Detach,
// since otherwise each connection has a clock of its own. Offloads such as TSO may stay on.
func Attach(ifindex int, firstTSval uint32) error {
	timestamps, err := readTimestamps()
	if err != nil {
		return err
	}
	err = pair.Attach(ifindex, collection(), func(maps map[string]*ebpf.Map) error {
		return maps[mapState].Put(uint32(0), state{First: firstTSval, Timestamps: timestamps})
	})
	if err != nil {
		return err
	}
	if err := writeTimestamps(2); err != nil {
		return errors.Join(err, Detach(ifindex))
	}
	return nil
}

// Detach removes the skewed clock from an interface of the calling thread's network namespace, and puts back the setting
// that Attach changed. Without a skewed clock it does nothing. Open connections see their clock jump.
func Detach(ifindex int) error {
	s, err := read(ifindex)
	if errors.Is(err, ErrNotAttached) {
		return pair.Detach(ifindex) // half of it may be there
	}
	if err != nil {
		return err
	}
	return errors.Join(pair.Detach(ifindex), writeTimestamps(s.Timestamps))
}

// Offset returns what is added to timestamps, in milliseconds modulo 2^32, and whether a SYN has latched it yet.
// ErrNotAttached if the interface has no skewed clock.
func Offset(ifindex int) (offset uint32, isLatched bool, err error) {
	s, err := read(ifindex)
	return uint32(s.Latched), s.Latched&latched != 0, err
}

func read(ifindex int) (state, error) {
	maps, err := pair.Maps(ifindex)
	if err != nil {
		return state{}, err
	}
	defer tcbpf.CloseMaps(maps)
	var s state
	if err := maps[mapState].Lookup(uint32(0), &s); err != nil {
		return state{}, fmt.Errorf("%s: read: %w", Name, err)
	}
	return s, nil
}

func readTimestamps() (uint32, error) {
	text, err := os.ReadFile(timestampsPath)
	if err != nil {
		return 0, err
	}
	value, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", timestampsPath, err)
	}
	return uint32(value), nil
}

func writeTimestamps(value uint32) error {
	return os.WriteFile(timestampsPath, []byte(strconv.FormatUint(uint64(value), 10)), 0o644)
}
