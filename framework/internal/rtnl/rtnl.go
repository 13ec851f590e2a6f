// Package rtnl speaks netlink where vishvananda/netlink has no field for what is asked: it dumps the tables of the current
// network namespace as the kernel has them, reads the answers' attributes, and makes and removes objects by the very
// messages that a dump gave of them. Formats: include/uapi/linux/{netlink,rtnetlink,if_link,neighbour}.h.
package rtnl

import (
	"errors"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// dumpTries is how often an interrupted dump is started over. The kernel interrupts a dump when the table changes under
// it, so the second try nearly always succeeds.
const dumpTries = 10

// Dump asks the netlink family proto (unix.NETLINK_ROUTE, …) for everything that request, such as unix.RTM_GETLINK, lists,
// and returns the bodies of the answers of type reply. A dump that the kernel says it interrupted (NLM_F_DUMP_INTR) is
// repeated; the error is nl.ErrDumpInterrupted when that happens too often.
func Dump(proto, request int, reply uint16, body ...nl.NetlinkRequestData) ([][]byte, error) {
	for try := 1; ; try++ {
		msgs, err := newRequest(request, unix.NLM_F_DUMP, body...).Execute(proto, reply)
		if !errors.Is(err, nl.ErrDumpInterrupted) || try == dumpTries {
			return msgs, err
		}
	}
}

// Each is Dump for tables with hundreds of thousands of entries: it calls f with the body of each answer as it comes, until
// f returns an error. The body is f's only during the call. An interrupted dump is not repeated.
func Each(proto, request int, f func(msg []byte) error, body ...nl.NetlinkRequestData) error {
	var stopped error
	err := newRequest(request, unix.NLM_F_DUMP, body...).ExecuteIter(proto, 0, func(m []byte) bool {
		stopped = f(m)
		return stopped == nil
	})
	if err != nil {
		return err
	}
	return stopped
}

func newRequest(kind, flags int, body ...nl.NetlinkRequestData) *nl.NetlinkRequest {
	req := nl.NewNetlinkRequest(kind, flags)
	for _, b := range body {
		req.AddData(b)
	}
	return req
}

// Links dumps all links with their counters (RTM_NEWLINK bodies).
func Links() ([][]byte, error) {
	return Dump(unix.NETLINK_ROUTE, unix.RTM_GETLINK, unix.RTM_NEWLINK, nl.NewIfInfomsg(unix.AF_UNSPEC))
}

// Addresses dumps all addresses of all families (RTM_NEWADDR bodies).
func Addresses() ([][]byte, error) {
	return Dump(unix.NETLINK_ROUTE, unix.RTM_GETADDR, unix.RTM_NEWADDR, nl.NewIfAddrmsg(unix.AF_UNSPEC))
}

// Routes dumps the routes of a family in all tables (RTM_NEWROUTE bodies), among them the cloned ones (RTM_F_CLONED). A
// kernel without the family would list the others' routes; here it lists none.
func Routes(family int) ([][]byte, error) {
	msgs, err := Dump(unix.NETLINK_ROUTE, unix.RTM_GETROUTE, unix.RTM_NEWROUTE,
		&nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family)}})
	return slices.DeleteFunc(msgs, func(m []byte) bool { return len(m) > 0 && m[0] != uint8(family) }), err
}

// Rules dumps the policy rules of a family (RTM_NEWRULE bodies); none on a kernel without the family.
func Rules(family int) ([][]byte, error) {
	msgs, err := Dump(unix.NETLINK_ROUTE, unix.RTM_GETRULE, unix.RTM_NEWRULE,
		&nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family)}})
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return nil, nil
	}
	return msgs, err
}

// Neighbours dumps the neighbour tables of all links (RTM_NEWNEIGH bodies): ARP and ND for AF_UNSPEC, the forwarding
// databases for AF_BRIDGE. The flag NTF_PROXY asks for the proxy entries instead.
func Neighbours(family int, flags uint8) ([][]byte, error) {
	return Dump(unix.NETLINK_ROUTE, unix.RTM_GETNEIGH, unix.RTM_NEWNEIGH, &netlink.Ndmsg{Family: uint8(family), Flags: flags})
}

// Qdiscs dumps the queueing disciplines of all links (RTM_NEWQDISC bodies).
func Qdiscs() ([][]byte, error) {
	return Dump(unix.NETLINK_ROUTE, unix.RTM_GETQDISC, unix.RTM_NEWQDISC, &nl.TcMsg{Family: unix.AF_UNSPEC})
}

// Filters dumps the tc filters that a link has at a parent (RTM_NEWTFILTER bodies).
func Filters(ifindex int32, parent uint32) ([][]byte, error) {
	return Dump(unix.NETLINK_ROUTE, unix.RTM_GETTFILTER, unix.RTM_NEWTFILTER,
		&nl.TcMsg{Family: unix.AF_UNSPEC, Ifindex: ifindex, Parent: parent})
}
