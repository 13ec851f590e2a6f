package replay

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// unackedFor is how long the server's FIN goes without acknowledgment.
const unackedFor = 3 * time.Second

// closers are the ways in which a connection ends. Each returns when the server has handled the last segment, which
// carries the timestamp last; what comes before has one in between, if there is any.
var closers = map[string]func(c *conn, last uint32) error{
	"server":                 (*conn).serverFirst,
	"client":                 (*conn).clientFirst,
	"both":                   (*conn).both,
	"server-rst":             (*conn).serverReset,
	"client-rst":             (*conn).clientReset,
	"server-then-client-rst": (*conn).serverThenReset,
	"server-unacked":         (*conn).serverUnacked,
	"server-fin-wait-2":      (*conn).serverFINWait2,
	"server-fin-ack":         (*conn).serverFINACK,
	"server-half-close":      (*conn).serverHalfClose,
}

// between moves the clock to a timestamp between the last one and last, if there is one.
func (c *conn) between(last uint32) {
	if int32(last-c.tsval) > 1 {
		c.tsval = last - 1
	}
}

func (c *conn) serverFirst(last uint32) error {
	if err := c.socket.Close(); err != nil {
		return err
	}
	if err := c.awaitFIN(true); err != nil {
		return err
	}
	c.between(last)
	if err := c.send(segment{acks: true}); err != nil {
		return err
	}
	return c.clientFIN(last)
}

func (c *conn) serverFINACK(last uint32) error {
	if err := c.socket.Close(); err != nil {
		return err
	}
	if err := c.awaitFIN(true); err != nil {
		return err
	}
	return c.clientFIN(last)
}

// clientFIN sends the client's FIN and waits for its acknowledgment.
func (c *conn) clientFIN(last uint32) error {
	c.tsval = last
	if err := c.send(segment{fin: true, acks: true}); err != nil {
		return err
	}
	return c.awaitACK()
}

func (c *conn) clientFirst(last uint32) error {
	c.between(last)
	if err := c.send(segment{fin: true, acks: true}); err != nil {
		return err
	}
	if err := c.socket.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if n, err := c.socket.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("the server read %d bytes instead of the end: %w", n, err)
	}
	if err := c.socket.Close(); err != nil {
		return err
	}
	if err := c.awaitFIN(true); err != nil {
		return err
	}
	return c.finalACK(last)
}

// both has the two FINs cross: the client's does not acknowledge the server's.
func (c *conn) both(last uint32) error {
	if err := c.socket.Close(); err != nil {
		return err
	}
	before := c.ack
	if err := c.awaitFIN(true); err != nil {
		return err
	}
	after := c.ack
	c.between(last)
	c.ack = before
	if err := c.send(segment{fin: true, acks: true}); err != nil {
		return err
	}
	if err := c.awaitACK(); err != nil {
		return err
	}
	c.ack = after
	return c.finalACK(last)
}

// finalACK acknowledges the server's FIN. The server has nothing to answer.
func (c *conn) finalACK(last uint32) error {
	c.tsval = last
	if err := c.send(segment{acks: true}); err != nil {
		return err
	}
	return c.w.barrier(c.client.Addr(), c.server.Addr())
}

func (c *conn) serverReset(uint32) error {
	if err := c.socket.SetLinger(0); err != nil {
		return err
	}
	if err := c.socket.Close(); err != nil {
		return err
	}
	_, err := c.await("reset", func(s segment) bool { return s.rst })
	return err
}

func (c *conn) clientReset(uint32) error {
	if err := c.reset(); err != nil {
		return err
	}
	return c.socket.Close()
}

func (c *conn) serverThenReset(uint32) error {
	if err := c.socket.Close(); err != nil {
		return err
	}
	if err := c.awaitFIN(true); err != nil {
		return err
	}
	// As a client does that closes without having read all: the reset acknowledges the FIN.
	if err := c.send(segment{rst: true, acks: true}); err != nil {
		return err
	}
	return c.w.barrier(c.client.Addr(), c.server.Addr())
}

func (c *conn) serverUnacked(uint32) error {
	if err := c.socket.Close(); err != nil {
		return err
	}
	began := time.Now()
	if err := c.awaitFIN(false); err != nil {
		return err
	}
	<-time.After(time.Until(began.Add(unackedFor)))
	return nil
}

func (c *conn) serverFINWait2(last uint32) error {
	if err := c.socket.Close(); err != nil {
		return err
	}
	if err := c.awaitFIN(true); err != nil {
		return err
	}
	return c.finalACK(last)
}

func (c *conn) serverHalfClose(last uint32) error {
	if err := c.socket.CloseWrite(); err != nil {
		return err
	}
	if err := c.awaitFIN(true); err != nil {
		return err
	}
	return c.finalACK(last)
}
