// Package drops watches where the kernel drops packets: in which network namespace, at which interface, and for which of its own
// reasons. It knows nothing of faults and of detectors, so that it is a witness beside them.
//
// The kernel tells it by the tracepoint skb:kfree_skb, which has reasons since Linux 5.17, to a BPF program that is put together
// at run time from the kernel's type information. Only packets of the namespaces that are named are looked at.
package drops

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"

	"github.com/netfault/netfault/framework/internal/ktype"
	"github.com/netfault/netfault/framework/internal/ringevents"
	"github.com/netfault/netfault/framework/internal/tcbpf"
)

// Drop is an IPv4 packet that the kernel has dropped.
type Drop struct {
	// Namespace is the inode number of the network namespace in which that happened, as /proc/PID/ns/net shows it.
	Namespace uint32
	// Interface is where it happened; empty for a packet that had none yet.
	Interface string
	// Reason is the kernel's name of it without SKB_DROP_REASON_, such as "OTHERHOST" (include/net/dropreason-core.h).
	Reason string
	Packet Packet
}

// Watch receives drops until it is stopped.
type Watch struct {
	collection *ebpf.Collection
	events     *ringevents.Events
	reasons    map[uint32]string
	drops      []Drop
}

// ErrUnmeasurable is wrapped by errors that say why this process cannot see drops here, whatever it watches.
var ErrUnmeasurable = errors.New("drops cannot be seen here")

// Start watches the network namespaces with these inode numbers. It wraps ErrUnmeasurable where the kernel, or what it allows this
// process, does not let it.
func Start(namespaces []uint32) (*Watch, error) {
	if err := tcbpf.Permitted(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnmeasurable, err)
	}
	kernel, err := ktype.Kernel()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnmeasurable, err)
	}
	if err := tellsReasons(kernel); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnmeasurable, err)
	}
	l, err := readLayout(kernel)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnmeasurable, err)
	}
	w := &Watch{}
	if w.reasons, err = reasons(kernel); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnmeasurable, err)
	}
	if w.collection, err = ebpf.NewCollection(collection(l, len(namespaces))); err != nil {
		return nil, fmt.Errorf("%w: the kernel does not take the program that watches them: %w", ErrUnmeasurable, err)
	}
	if err := w.attach(namespaces); err != nil {
		w.collection.Close()
		return nil, err
	}
	return w, nil
}

func (w *Watch) attach(namespaces []uint32) error {
	for _, ns := range namespaces {
		if err := w.collection.Maps[mapNamespaces].Put(ns, uint32(1)); err != nil {
			return fmt.Errorf("watch namespace %d: %w", ns, err)
		}
	}
	var err error
	w.events, err = ringevents.Attach("kfree_skb", w.collection.Programs[programName], w.collection.Maps[mapEvents], func(event []byte) {
		if d, ok := w.drop(event); ok {
			w.drops = append(w.drops, d)
		}
	})
	switch {
	case errors.Is(err, ringevents.ErrTracepoint):
		return fmt.Errorf("%w: %w", ErrUnmeasurable, err)
	case err != nil:
		return fmt.Errorf("read drops: %w", err)
	}
	return nil
}

// drop reads an event; it is not ok for what is not IPv4.
func (w *Watch) drop(event []byte) (Drop, bool) {
	if len(event) < eventLength {
		return Drop{}, false
	}
	packet, ok := parse(event[eventPacket:eventLength])
	reason := binary.NativeEndian.Uint32(event[eventReason:])
	name, known := w.reasons[reason]
	if !known {
		name = fmt.Sprintf("reason %d", reason) // a subsystem's own
	}
	text, _, _ := strings.Cut(string(event[eventName:eventPacket]), "\x00")
	return Drop{Namespace: binary.NativeEndian.Uint32(event), Interface: text, Reason: name, Packet: packet}, ok
}

// Stop ends the watch and returns the IPv4 packets that were dropped. It is an error if some were not told of.
func (w *Watch) Stop() ([]Drop, error) {
	defer w.collection.Close()
	err := w.events.Stop()
	if err != nil {
		err = fmt.Errorf("read drops: %w", err)
	}
	var lost uint64
	if lostErr := w.collection.Maps[mapLost].Lookup(uint32(0), &lost); lostErr != nil {
		err = errors.Join(err, lostErr)
	} else if lost > 0 {
		err = errors.Join(err, fmt.Errorf("the kernel dropped packets faster than could be read: %d were not told of", lost))
	}
	return w.drops, err
}
