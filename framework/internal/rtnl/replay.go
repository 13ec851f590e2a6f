package rtnl

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Replay is how the objects of a table are made and removed by their own messages, as `ip route restore` does. A message is
// what a dump gave of the object, without what the kernel tells and does not want to be told (Message).
type Replay struct {
	add, del int
	// addFlags are NLM_F_* of add.
	addFlags int
	// header is the size of the message's header in bytes, and index where the link's number stands in it, or -1.
	header, index int
	// devs are the attributes that hold a link's number.
	devs []uint16
}

// The tables whose objects can be made or removed so.
var (
	Qdisc   = Replay{unix.RTM_NEWQDISC, unix.RTM_DELQDISC, unix.NLM_F_CREATE | unix.NLM_F_REPLACE, nl.SizeofTcMsg, 4, nil}
	Filter  = Replay{0, unix.RTM_DELTFILTER, 0, nl.SizeofTcMsg, 4, nil}
	Address = Replay{unix.RTM_NEWADDR, unix.RTM_DELADDR, unix.NLM_F_CREATE | unix.NLM_F_REPLACE, unix.SizeofIfAddrmsg, 4, nil}
	// A route may have a fellow with the same destination and metric, so it is appended.
	Route = Replay{unix.RTM_NEWROUTE, unix.RTM_DELROUTE, unix.NLM_F_CREATE | unix.NLM_F_APPEND,
		unix.SizeofRtMsg, -1, []uint16{unix.RTA_OIF}}
	// A rule's header, struct fib_rule_hdr (linux/fib_rules.h), is laid out as a route's. Links are there by name.
	Rule      = Replay{unix.RTM_NEWRULE, unix.RTM_DELRULE, unix.NLM_F_CREATE, unix.SizeofRtMsg, -1, nil}
	Neighbour = Replay{unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH, unix.NLM_F_CREATE | unix.NLM_F_REPLACE, unix.SizeofNdMsg, 4, nil}
	// A MAC may have several remotes, so a forwarding row is appended.
	FDB = Replay{unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH, unix.NLM_F_CREATE | unix.NLM_F_APPEND,
		unix.SizeofNdMsg, 4, []uint16{unix.NDA_IFINDEX}}
)

var errNoReplay = errors.New("cannot be made again: its options are not recorded")

// Add makes an object. renumber gives the number that a link has now for the one that it had in the message.
func (p Replay) Add(c *Conn, message []byte, renumber func(int) (int, error)) error {
	if p.add == 0 {
		return errNoReplay
	}
	body, err := p.renumbered(message, renumber)
	if err != nil {
		return err
	}
	return c.changeRaw(p.add, p.addFlags, body)
}

// Remove removes an object that is there now. One that is gone already, as a route with its address, is as good.
func (p Replay) Remove(c *Conn, message []byte) error {
	err := c.changeRaw(p.del, 0, message)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EADDRNOTAVAIL) {
		return nil
	}
	return err
}

// renumbered returns a copy of a message with the numbers that the links have now.
func (p Replay) renumbered(message []byte, renumber func(int) (int, error)) ([]byte, error) {
	m := slices.Clone(message)
	list, _, err := Split(m, p.header)
	if err != nil {
		return nil, err
	}
	if p.index >= 0 {
		if err := Renumber(m[p.index:], renumber); err != nil {
			return nil, err
		}
	}
	for _, a := range list {
		switch {
		case slices.Contains(p.devs, a.Type):
			err = Renumber(a.Value, renumber)
		case p.add == unix.RTM_NEWROUTE && a.Type == unix.RTA_MULTIPATH:
			err = renumberHops(a.Value, renumber)
		}
		if err != nil {
			return nil, err
		}
	}
	return m, nil
}

func renumberHops(b []byte, renumber func(int) (int, error)) error {
	hops, err := Nexthops(b)
	if err != nil {
		return err
	}
	for _, h := range hops {
		if err := Renumber(h.Header[nexthopIndex:], renumber); err != nil {
			return err
		}
	}
	return nil
}

// Renumber puts the number that a link has now in the place of the one at the start of b; 0, no link, stays.
func Renumber(b []byte, renumber func(int) (int, error)) error {
	if len(b) < 4 {
		return unix.EBADMSG
	}
	old := int(int32(binary.NativeEndian.Uint32(b)))
	if old == 0 {
		return nil
	}
	index, err := renumber(old)
	if err != nil {
		return err
	}
	binary.NativeEndian.PutUint32(b, uint32(index))
	return nil
}
