package replay

import (
	"fmt"
	"net"
	"net/netip"
	"time"
)

// silence is how long a SYN goes without an answer before it counts as dropped. The answers of a server on the same
// machine take less than a millisecond.
const silence = 300 * time.Millisecond

// conn is the client's end of a connection, or of an attempt at one.
type conn struct {
	w              *world
	client, server netip.AddrPort
	endpoint       endpoint
	seq, ack       uint32 // what is sent next, and what is expected next
	timestamps     bool
	tsval          uint32 // sent last
	tsecr          uint32 // the server's last
	socket         *net.TCPConn
}

// isn is the client's initial sequence number. Each connection has ports of its own, so one number does.
const isn = 1_000_000

// newConn prepares a connection from a port that was not used yet.
func (w *world) newConn(client netip.Addr, server netip.AddrPort, tsval *uint32) *conn {
	c := &conn{w: w, server: server, seq: isn, timestamps: tsval != nil}
	c.client, c.endpoint = w.newEndpoint(client)
	if tsval != nil {
		c.tsval = *tsval
	}
	return c
}

// again prepares another connection over the same 4-tuple, whose numbers are older than the first one's.
func (c *conn) again(tsval *uint32) *conn {
	next := &conn{w: c.w, client: c.client, server: c.server, endpoint: c.endpoint, seq: isn - 100_000, timestamps: tsval != nil}
	if tsval != nil {
		next.tsval = *tsval
	}
	for len(c.endpoint.segments) > 0 { // what the first one left
		<-c.endpoint.segments
	}
	return next
}

// send sends a segment with flags as set in s, and with the numbers and timestamps that are due.
func (c *conn) send(s segment) error {
	s.client, s.server = c.client, c.server
	s.seq, s.timestamp, s.tsval = c.seq, c.timestamps && !s.rst, c.tsval
	if s.acks {
		s.ack, s.tsecr = c.ack, c.tsecr
	}
	if s.syn || s.fin {
		c.seq++
	}
	return c.w.send(s)
}

// await waits for a segment that match accepts, and passes over others.
func (c *conn) await(what string, match func(segment) bool) (segment, error) {
	deadline := time.After(patience)
	for {
		select {
		case s := <-c.endpoint.segments:
			if s.timestamp && !s.rst {
				c.tsecr = s.tsval
			}
			if match(s) {
				return s, nil
			}
		case <-deadline:
			return segment{}, fmt.Errorf("%v from %v: no %s within %v", c.client, c.server, what, patience)
		}
	}
}

// awaitFIN waits for the server's FIN. The next ACK acknowledges it if acknowledge is set.
func (c *conn) awaitFIN(acknowledge bool) error {
	fin, err := c.await("FIN", func(s segment) bool { return s.fin })
	if acknowledge {
		c.ack = fin.seq + uint32(fin.length) + 1
	}
	return err
}

// awaitACK waits until the server has acknowledged all that was sent, or has reset the connection.
func (c *conn) awaitACK() error {
	_, err := c.await("ACK", func(s segment) bool { return s.rst || s.acks && s.ack == c.seq })
	return err
}

// syn sends the SYN.
func (c *conn) syn() error { return c.send(segment{syn: true}) }

// outcome tells how the SYN was answered. That it was not answered is believed only after a whole silence, and when a
// port on which nothing listens has then refused a SYN: so the wire and the capture work.
func (c *conn) outcome() (Outcome, error) {
	select {
	case s := <-c.endpoint.segments:
		return c.judge(s), nil
	case <-time.After(silence):
	}
	if err := c.w.barrier(c.client.Addr(), c.server.Addr()); err != nil {
		return "", err
	}
	select {
	case s := <-c.endpoint.segments:
		return c.judge(s), nil
	default:
		return Dropped, nil
	}
}

// judge reads the answer to the SYN.
func (c *conn) judge(s segment) Outcome {
	switch {
	case s.syn && s.acks && s.ack == c.seq:
		c.ack, c.tsecr = s.seq+1, s.tsval
		c.timestamps = c.timestamps && s.timestamp // both must use them
		return Answered
	case s.rst:
		return refused
	case s.acks:
		return ChallengeACK
	default:
		return Outcome(fmt.Sprintf("%+v", s))
	}
}

// reset ends the connection, or the half-open one, without a word from the server.
func (c *conn) reset() error {
	if err := c.send(segment{rst: true}); err != nil {
		return err
	}
	return c.w.barrier(c.client.Addr(), c.server.Addr())
}

// establish completes the handshake, after the SYN was answered, and waits for the server to accept the connection.
func (c *conn) establish() error {
	if err := c.send(segment{acks: true}); err != nil {
		return err
	}
	select {
	case c.socket = <-c.endpoint.sockets:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("the server did not accept the connection from %v within %v", c.client, patience)
	}
}

// barrier returns when the server has handled all that was sent before: a SYN to a port on which nothing listens has been
// refused.
func (w *world) barrier(client, server netip.Addr) error {
	c := w.newConn(client, netip.AddrPortFrom(server, w.closed), nil)
	defer w.forget(c)
	if err := c.syn(); err != nil {
		return err
	}
	_, err := c.await("refusal of a port on which nothing listens", func(s segment) bool { return s.rst })
	return err
}

// forget stops receiving for a connection.
func (w *world) forget(c *conn) {
	w.mu.Lock()
	delete(w.clients, c.client)
	w.mu.Unlock()
}
