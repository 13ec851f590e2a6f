// Package ringevents receives what a BPF program at one of the kernel's raw tracepoints tells by a ring buffer.
package ringevents

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
)

// ErrTracepoint is wrapped where the kernel does not let this process attach a program to a tracepoint.
var ErrTracepoint = errors.New("the kernel does not let it look at the tracepoint")

// Events come until they are stopped.
type Events struct {
	link   link.Link
	reader *ringbuf.Reader
	done   chan struct{}
	err    error
}

// Attach starts the program at the tracepoint, and calls each with every event that it puts into the ring buffer, one after the other.
// The event's bytes are another's after that.
func Attach(tracepoint string, program *ebpf.Program, buffer *ebpf.Map, each func(event []byte)) (*Events, error) {
	e := &Events{done: make(chan struct{})}
	var err error
	if e.reader, err = ringbuf.NewReader(buffer); err != nil {
		return nil, err
	}
	if e.link, err = link.AttachRawTracepoint(link.RawTracepointOptions{Name: tracepoint, Program: program}); err != nil {
		return nil, errors.Join(fmt.Errorf("%w %s: %w", ErrTracepoint, tracepoint, err), e.reader.Close())
	}
	go e.receive(each)
	return e, nil
}

// receive hands events on until the reader is flushed.
func (e *Events) receive(each func([]byte)) {
	defer close(e.done)
	var record ringbuf.Record
	for {
		switch err := e.reader.ReadInto(&record); {
		case errors.Is(err, ringbuf.ErrFlushed), errors.Is(err, os.ErrClosed):
			return
		case err != nil:
			e.err = err
			return
		}
		each(record.RawSample)
	}
}

// Stop ends them, after all that was told has been handed on.
func (e *Events) Stop() error {
	err := errors.Join(e.link.Close(), e.reader.Flush())
	<-e.done
	return errors.Join(err, e.err, e.reader.Close())
}
