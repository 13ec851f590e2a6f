package kstate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/netfault/netfault/framework/collect/rtnl"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// replay is how the rows of a table are made and removed by their own messages, as `ip route restore` does.
type replay struct {
	add, del int
	// addFlags are NLM_F_* of add.
	addFlags int
	// header is the size of the message's header in bytes, and index where the link's number stands in it, or -1.
	header, index int
	// devs are the attributes that hold a link's number.
	devs []uint16
}

var replays = map[string]replay{
	KindQdisc:  {unix.RTM_NEWQDISC, unix.RTM_DELQDISC, unix.NLM_F_CREATE | unix.NLM_F_REPLACE, sizeofTcMsg, 4, nil},
	KindFilter: {0, unix.RTM_DELTFILTER, 0, sizeofTcMsg, 4, nil},
	KindAddress: {unix.RTM_NEWADDR, unix.RTM_DELADDR, unix.NLM_F_CREATE | unix.NLM_F_REPLACE,
		unix.SizeofIfAddrmsg, 4, nil},
	// A route may have a fellow with the same destination and metric, so it is appended.
	KindRoute: {unix.RTM_NEWROUTE, unix.RTM_DELROUTE, unix.NLM_F_CREATE | unix.NLM_F_APPEND,
		unix.SizeofRtMsg, -1, []uint16{unix.RTA_OIF}},
	KindRule: {unix.RTM_NEWRULE, unix.RTM_DELRULE, unix.NLM_F_CREATE, sizeofRuleHeader, -1, nil},
	KindNeighbour: {unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH, unix.NLM_F_CREATE | unix.NLM_F_REPLACE,
		rtnl.SizeofNdMsg, 4, nil},
	// A MAC may have several remotes, so a forwarding row is appended.
	KindFDB: {unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH, unix.NLM_F_CREATE | unix.NLM_F_APPEND,
		rtnl.SizeofNdMsg, 4, []uint16{unix.NDA_IFINDEX}},
}

var errNoReplay = errors.New("cannot be made again: its options are not recorded")

// addRow makes a row, whose links' numbers are translated.
func (p replay) addRow(c *conn, r Row, translate func(int) (int, error)) error {
	if p.add == 0 {
		return errNoReplay
	}
	body, err := p.translated(r.Message, translate)
	if err != nil {
		return err
	}
	return c.request(p.add, p.addFlags, body)
}

// removeRow removes a row that is there now. One that is gone already, as a route with its address, is as good.
func (p replay) removeRow(c *conn, r Row) error {
	err := c.request(p.del, 0, r.Message)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EADDRNOTAVAIL) {
		return nil
	}
	return err
}

// translated returns a copy of a message with the numbers that the links have now.
func (p replay) translated(m []byte, translate func(int) (int, error)) ([]byte, error) {
	if len(m) < p.header {
		return nil, unix.EBADMSG
	}
	m = slices.Clone(m)
	if p.index >= 0 {
		if err := translateAt(m[p.index:], translate); err != nil {
			return nil, err
		}
	}
	list, err := rtnl.List(m[p.header:])
	if err != nil {
		return nil, err
	}
	for _, a := range list { // which share their bytes with m
		switch {
		case slices.Contains(p.devs, a.Type):
			err = translateAt(a.Value, translate)
		case p.add == unix.RTM_NEWROUTE && a.Type == unix.RTA_MULTIPATH:
			err = translateHops(a.Value, translate)
		}
		if err != nil {
			return nil, err
		}
	}
	return m, nil
}

func translateHops(b []byte, translate func(int) (int, error)) error {
	hops, err := splitHops(b)
	if err != nil {
		return err
	}
	for _, h := range hops {
		if err := translateAt(h.header[4:], translate); err != nil {
			return err
		}
	}
	return nil
}

func translateAt(b []byte, translate func(int) (int, error)) error {
	if len(b) < 4 {
		return unix.EBADMSG
	}
	old := int(int32(binary.NativeEndian.Uint32(b)))
	if old == 0 {
		return nil
	}
	index, err := translate(old)
	if err != nil {
		return err
	}
	binary.NativeEndian.PutUint32(b, uint32(index))
	return nil
}

// conn is a netlink socket for changes, on which the kernel explains its errors (extended acknowledgements).
type conn struct{ sockets map[int]*nl.SocketHandle }

func dial() (*conn, error) {
	s, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	if err := s.SetExtAck(true); err != nil && !errors.Is(err, unix.ENOPROTOOPT) { // Linux 4.12
		s.Close()
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	return &conn{map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: s}}}, nil
}

func (c *conn) close() { c.sockets[unix.NETLINK_ROUTE].Close() }

// request makes one change and waits for the kernel's word.
func (c *conn) request(kind, flags int, body []byte, more ...nl.NetlinkRequestData) error {
	req := nl.NewNetlinkRequest(kind, flags|unix.NLM_F_ACK)
	req.Sockets = c.sockets
	req.AddData(rtnl.Raw(body))
	for _, m := range more {
		req.AddData(m)
	}
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// translator maps the numbers that links had in want to those that links of the same names have now.
func translator(want names, now []Link) func(int) (int, error) {
	byName := make(map[string]int, len(now))
	for _, l := range now {
		byName[l.Name] = l.Index
	}
	return func(old int) (int, error) {
		name, ok := want[old]
		if !ok {
			return 0, fmt.Errorf("no link with the number %d was recorded", old)
		}
		index, ok := byName[name]
		if !ok {
			return 0, fmt.Errorf("there is no link %s", name)
		}
		return index, nil
	}
}
