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
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"

	"github.com/netfault/netfault/framework/internal/ktype"
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
	link       link.Link
	reader     *ringbuf.Reader
	reasons    map[uint32]string
	done       chan struct{}
	drops      []Drop
	err        error
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
	w := &Watch{done: make(chan struct{})}
	if w.reasons, err = reasons(kernel); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnmeasurable, err)
	}
	if w.collection, err = ebpf.NewCollection(collection(l, len(namespaces))); err != nil {
		return nil, fmt.Errorf("%w: the kernel does not take the program that watches them: %w", ErrUnmeasurable, err)
	}
	if err := w.attach(namespaces); err != nil {
		return nil, errors.Join(err, w.close())
	}
	go w.receive()
	return w, nil
}

func (w *Watch) attach(namespaces []uint32) error {
	for _, ns := range namespaces {
		if err := w.collection.Maps[mapNamespaces].Put(ns, uint32(1)); err != nil {
			return fmt.Errorf("watch namespace %d: %w", ns, err)
		}
	}
	var err error
	if w.reader, err = ringbuf.NewReader(w.collection.Maps[mapEvents]); err != nil {
		return fmt.Errorf("read drops: %w", err)
	}
	w.link, err = link.AttachRawTracepoint(link.RawTracepointOptions{Name: "kfree_skb", Program: w.collection.Programs[programName]})
	if err != nil {
		return fmt.Errorf("%w: the kernel does not let it look at the tracepoint kfree_skb: %w", ErrUnmeasurable, err)
	}
	return nil
}

// receive collects events until the reader is flushed.
func (w *Watch) receive() {
	defer close(w.done)
	var record ringbuf.Record
	for {
		switch err := w.reader.ReadInto(&record); {
		case errors.Is(err, ringbuf.ErrFlushed), errors.Is(err, os.ErrClosed):
			return
		case err != nil:
			w.err = fmt.Errorf("read drops: %w", err)
			return
		}
		if d, ok := w.drop(record.RawSample); ok {
			w.drops = append(w.drops, d)
		}
	}
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
	err := w.link.Close()
	w.link = nil
	err = errors.Join(err, w.reader.Flush())
	<-w.done
	var lost uint64
	if lostErr := w.collection.Maps[mapLost].Lookup(uint32(0), &lost); lostErr != nil {
		err = errors.Join(err, lostErr)
	} else if lost > 0 {
		err = errors.Join(err, fmt.Errorf("the kernel dropped packets faster than could be read: %d were not told of", lost))
	}
	return w.drops, errors.Join(err, w.err, w.close())
}

func (w *Watch) close() error {
	var err error
	if w.link != nil {
		err = w.link.Close()
	}
	if w.reader != nil {
		err = errors.Join(err, w.reader.Close())
	}
	w.collection.Close()
	return err
}
