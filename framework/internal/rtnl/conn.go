package rtnl

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Conn is a netlink socket for changes, on which the kernel explains its errors (extended acknowledgements).
type Conn struct {
	proto   int
	sockets map[int]*nl.SocketHandle
}

// Dial opens a socket of the netlink family proto in the current network namespace.
func Dial(proto int) (*Conn, error) {
	s, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), proto)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	if err := s.SetExtAck(true); err != nil && !errors.Is(err, unix.ENOPROTOOPT) { // Linux 4.12
		s.Close()
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	return &Conn{proto, map[int]*nl.SocketHandle{proto: {Socket: s}}}, nil
}

// Close closes the socket.
func (c *Conn) Close() { c.sockets[c.proto].Close() }

// Change makes one change, such as unix.RTM_NEWLINK with NLM_F_* flags, and waits for the kernel's word.
func (c *Conn) Change(kind, flags int, header nl.NetlinkRequestData, attrs ...nl.NetlinkRequestData) error {
	req := newRequest(kind, flags|unix.NLM_F_ACK, header)
	for _, a := range attrs {
		req.AddData(a)
	}
	return c.execute(req)
}

// changeRaw is Change with a body that is bytes already.
func (c *Conn) changeRaw(kind, flags int, body []byte) error {
	req := newRequest(kind, flags|unix.NLM_F_ACK)
	req.AddRawData(body)
	return c.execute(req)
}

func (c *Conn) execute(req *nl.NetlinkRequest) error {
	req.Sockets = c.sockets
	_, err := req.Execute(c.proto, 0)
	return err
}
