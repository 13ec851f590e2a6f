package replay

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netfault/netfault/framework/twrecycle"
	"github.com/netfault/netfault/framework/wait"
)

// The cases here need the client's port, or a server that the vectors cannot describe.

var (
	client = netip.MustParseAddr("198.51.100.7")
	others = []netip.Addr{netip.MustParseAddr("198.51.100.50"), netip.MustParseAddr("198.51.100.51")}
	server = netip.MustParseAddrPort("10.9.0.1:80")
)

const newer = 621677338

// inWorld runs a test in a world of its own.
func inWorld(t *testing.T, semantics twrecycle.Semantics, do func(w *world) error) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make network namespaces")
	}
	s := Sequence{Semantics: semantics}
	for _, c := range append(others, client) {
		s.Steps = append(s.Steps, Step{Client: c, Local: server.Addr(), Port: server.Port(), SYN: Answered})
	}
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // for ever: the thread's namespaces end with it
		w, err := newWorld(s)
		if err == nil {
			defer w.close()
			err = do(w)
		}
		result <- err
	}()
	if err := <-result; err != nil {
		t.Errorf("%v: %v", semantics, err)
	}
}

// serverFirst opens a connection and has the server close it first.
func (w *world) serverFirst(tsval, last uint32) (*conn, error) {
	c := w.newConn(client, server, &tsval)
	if err := c.syn(); err != nil {
		return nil, err
	}
	if got, err := c.outcome(); err != nil || got != Answered {
		return nil, fmt.Errorf("session from %d: %s, %v", tsval, got, err)
	}
	if err := c.establish(); err != nil {
		return nil, err
	}
	return c, c.serverFirst(last)
}

// expect sends a SYN and compares the answer.
func (c *conn) expect(what string, want Outcome) error {
	if err := c.syn(); err != nil {
		return err
	}
	got, err := c.outcome()
	if err == nil && got != want {
		err = fmt.Errorf("%s: %s, want %s", what, got, want)
	}
	return err
}

// later returns a connection over the same 4-tuple with newer numbers.
func (c *conn) later(tsval uint32) *conn {
	next := c.again(&tsval)
	next.seq = isn + 100_000
	return next
}

// A SYN that hits a live TIME_WAIT of its own 4-tuple is answered although another connection's record is newer; when that
// TIME_WAIT would have been over in the old kernels, it is dropped.
func TestOwnTuple(t *testing.T) {
	for _, semantics := range []twrecycle.Semantics{twrecycle.V310, twrecycle.EL7, twrecycle.V4} {
		inWorld(t, semantics, func(w *world) error {
			soon, err := w.serverFirst(newer, newer+40)
			if err != nil {
				return err
			}
			late, err := w.serverFirst(newer+40, newer+80)
			if err != nil {
				return err
			}
			if _, err := w.serverFirst(newer+80, newer+2000); err != nil {
				return err
			}
			between := uint32(newer + 1000)
			if err := soon.later(between).expect("own 4-tuple in TIME_WAIT", Answered); err != nil {
				return err
			}
			if err := w.newConn(client, server, &between).expect("another port", Dropped); err != nil {
				return err
			}
			began := time.Now()
			return wait.Until(context.Background(), 10*time.Second, "the end of TIME_WAIT", func(context.Context) error {
				if time.Since(began) < time.Second {
					return fmt.Errorf("not over")
				}
				return late.later(between).expect("own 4-tuple after TIME_WAIT", Dropped)
			})
		})
	}
}

// shutdown(SHUT_RDWR) is no close() either: the record is made when the client's FIN comes.
func TestShutdownBothWays(t *testing.T) {
	inWorld(t, twrecycle.V4, func(w *world) error {
		tsval := uint32(newer)
		c := w.newConn(client, server, &tsval)
		if err := c.expect("session", Answered); err != nil {
			return err
		}
		if err := c.establish(); err != nil {
			return err
		}
		defer c.socket.Close()
		raw, err := c.socket.SyscallConn()
		if err != nil {
			return err
		}
		if err := raw.Control(func(fd uintptr) { err = unix.Shutdown(int(fd), unix.SHUT_RDWR) }); err != nil {
			return err
		}
		if err := errors.Join(err, c.awaitFIN(true), c.finalACK(newer+40)); err != nil {
			return err
		}
		if records, err := w.setting.Records(); err != nil || len(records) != 0 {
			return fmt.Errorf("records %v, %v", records, err)
		}
		if err := c.clientFIN(newer + 80); err != nil {
			return err
		}
		if records, err := w.setting.Records(); err != nil || len(records) != 1 || records[0].TSVal != newer+80 {
			return fmt.Errorf("records after the FIN %v, %v", records, err)
		}
		return nil
	})
}

// While the queue of SYNs overflows, the kernel answers with cookies, which none of the old kernels checked.
func TestSYNQueueOverflow(t *testing.T) {
	for _, semantics := range []twrecycle.Semantics{twrecycle.V310, twrecycle.EL7, twrecycle.V4} {
		inWorld(t, semantics, func(w *world) error {
			if _, err := w.serverFirst(newer, newer+40); err != nil {
				return err
			}
			if err := writeSetting("net.core.somaxconn", "1"); err != nil {
				return err
			}
			const small = 81
			if err := w.listen(small); err != nil {
				return err
			}
			full := netip.AddrPortFrom(server.Addr(), small)
			older := uint32(newer - 1000)
			if err := w.newConn(client, full, &older).expect("before the queue is full", Dropped); err != nil {
				return err
			}
			for _, other := range others {
				if err := w.newConn(other, full, &older).expect("half-open", Answered); err != nil {
					return err
				}
			}
			if err := w.newConn(client, full, &older).expect("when the queue is full", Answered); err != nil {
				return err
			}
			return w.newConn(client, server, &older).expect("another listening socket", Dropped)
		})
	}
}
