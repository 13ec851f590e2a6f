package replay

import (
	"errors"
	"fmt"
	"time"
)

func (r *replay) session(step Step) error {
	r.last = nil
	c := r.world.newConn(step.Client, step.server(), step.SYNTSval)
	if got, err := r.first(c, step); err != nil || got != Answered {
		return err
	}
	if err := r.establish(c); err != nil {
		return err
	}
	return r.end(c, step)
}

// establish completes a connection's handshake and keeps it, so that what is left open ends with the replay.
func (r *replay) establish(c *conn) error {
	r.conns = append(r.conns, c)
	return c.establish()
}

// first sends a connection's SYN and compares how it is answered.
func (r *replay) first(c *conn, step Step) (Outcome, error) {
	if err := c.syn(); err != nil {
		return "", err
	}
	got, err := c.outcome()
	if err != nil {
		return "", err
	}
	if step.SYN != "" {
		r.compare("syn", step.SYN, got)
	}
	if step.Timestamps != nil && got == Answered {
		r.compare("timestamps", *step.Timestamps, c.timestamps)
	}
	return got, nil
}

// end closes a connection as the step says.
func (r *replay) end(c *conn, step Step) error {
	r.last = c
	if c == nil {
		return errors.New("the connection was not opened")
	}
	last := c.tsval
	if step.LastTSval != nil {
		last = *step.LastTSval
	}
	return closers[step.Closer](c, last)
}

func (r *replay) open(step Step) error {
	r.last = nil
	for range step.Count {
		c := r.world.newConn(step.Client, step.server(), step.SYNTSval)
		got, err := r.first(c, step)
		if err != nil {
			return err
		}
		if got != Answered {
			c = nil
		} else if err := r.establish(c); err != nil {
			return err
		}
		r.opened[step.Name] = append(r.opened[step.Name], c)
		r.last = c
	}
	return nil
}

func (r *replay) syns(step Step) error {
	if step.Repeat == 1 {
		return r.syn(step)
	}
	conns := make([]*conn, step.Repeat)
	for i := range conns {
		if err := r.waitFor(step.At + step.Over*time.Duration(i)/time.Duration(step.Repeat)); err != nil {
			return err
		}
		conns[i] = r.world.newConn(step.Client, step.server(), step.SYNTSval)
		if err := conns[i].syn(); err != nil {
			return err
		}
	}
	// The first ones had all the time to be answered; the last one's silence counts for all.
	for i := len(conns) - 1; i >= 0; i-- {
		select {
		case s := <-conns[i].endpoint.segments:
			r.compare(fmt.Sprintf("syn %d of %d", i+1, len(conns)), step.SYN, conns[i].judge(s))
			continue
		default:
		}
		got := Dropped
		if i == len(conns)-1 {
			var err error
			if got, err = conns[i].outcome(); err != nil {
				return err
			}
		}
		r.compare(fmt.Sprintf("syn %d of %d", i+1, len(conns)), step.SYN, got)
	}
	for _, c := range conns {
		if err := c.send(segment{rst: true}); err != nil {
			return err
		}
	}
	return nil
}

func (r *replay) syn(step Step) error {
	c := r.world.newConn(step.Client, step.server(), step.SYNTSval)
	if step.SYN == ChallengeACK {
		c = r.sameTuple(step).again(step.SYNTSval)
	}
	got, err := r.first(c, step)
	if err != nil || got != Answered {
		return err
	}
	return c.reset()
}

// sameTuple returns the last connection of a step's client. The vectors do not tell the client's port, but a challenge ACK
// only comes where the SYN reuses it.
func (r *replay) sameTuple(step Step) *conn {
	for i := len(r.conns) - 1; i >= 0; i-- {
		if c := r.conns[i]; c.client.Addr() == step.Client && c.server == step.server() {
			return c
		}
	}
	return r.world.newConn(step.Client, step.server(), step.SYNTSval)
}

// set changes a setting: the emulated one, or the namespace's own.
func (r *replay) set(name, value string) error {
	if name == "net.ipv4.tcp_tw_recycle" {
		return r.world.setting.Set(value != "0")
	}
	return writeSetting(name, value)
}
