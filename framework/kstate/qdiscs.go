package kstate

import (
	"encoding/binary"
	"fmt"

	"github.com/netfault/netfault/framework/collect/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Parents of filters on a clsact qdisc (linux/pkt_sched.h).
const (
	clsactIngress = 0xfffffff2
	clsactEgress  = 0xfffffff3
)

// sizeofTcMsg is the size in bytes of struct tcmsg (linux/rtnetlink.h): family, padding, ifindex, handle, parent, info.
const sizeofTcMsg = 20

type tcMsg struct {
	ifindex              int32
	handle, parent, info uint32
}

func readTcMsg(b []byte) tcMsg {
	u32 := func(at int) uint32 { return binary.NativeEndian.Uint32(b[at:]) }
	return tcMsg{int32(u32(4)), u32(8), u32(12), u32(16)}
}

// readQdiscs reads the qdiscs that somebody attached, and their filters, by name: what their options are is not compared.
// A qdisc with the handle 0 is the kernel's default, which comes with the link's first going up.
func readQdiscs(n names) (qdiscs, filters []Row, err error) {
	msgs, err := rtnl.Dump(unix.NETLINK_ROUTE, unix.RTM_GETQDISC, unix.RTM_NEWQDISC, &nl.TcMsg{Family: unix.AF_UNSPEC})
	if err != nil {
		return nil, nil, fmt.Errorf("list qdiscs: %w", err)
	}
	for _, m := range msgs {
		list, a, err := attrsAfter(m, sizeofTcMsg)
		if err != nil {
			return nil, nil, fmt.Errorf("list qdiscs: %w", err)
		}
		h := readTcMsg(m)
		if h.handle == 0 {
			continue
		}
		kind := a.String(nl.TCA_KIND)
		row := Row{Object: fmt.Sprintf("dev %s parent %#x", n.name(int(h.ifindex)), h.parent), Text: kind}
		for _, attr := range list {
			if attr.Type == nl.TCA_KIND || attr.Type == nl.TCA_OPTIONS {
				row.Message = appendAttr(row.Message, attr)
			}
		}
		header := m[:sizeofTcMsg:sizeofTcMsg]
		binary.NativeEndian.PutUint32(header[16:], 0) // tcm_info is a count here
		row.Message = append(header, row.Message...)
		qdiscs = append(qdiscs, row)
		parents := []uint32{h.handle}
		if kind == "clsact" {
			parents = []uint32{clsactIngress, clsactEgress}
		}
		for _, parent := range parents {
			more, err := readFilters(n, h.ifindex, parent)
			if err != nil {
				return nil, nil, err
			}
			filters = append(filters, more...)
		}
	}
	return qdiscs, filters, nil
}

func readFilters(n names, ifindex int32, parent uint32) ([]Row, error) {
	msgs, err := rtnl.Dump(unix.NETLINK_ROUTE, unix.RTM_GETTFILTER, unix.RTM_NEWTFILTER,
		&nl.TcMsg{Family: unix.AF_UNSPEC, Ifindex: ifindex, Parent: parent})
	if err != nil {
		return nil, fmt.Errorf("list filters of %s: %w", n.name(int(ifindex)), err)
	}
	var rows []Row
	for _, m := range msgs {
		_, a, err := attrsAfter(m, sizeofTcMsg)
		if err != nil {
			return nil, fmt.Errorf("list filters of %s: %w", n.name(int(ifindex)), err)
		}
		h := readTcMsg(m)
		rows = append(rows, Row{
			Object: fmt.Sprintf("dev %s parent %#x", n.name(int(ifindex)), h.parent),
			Text:   fmt.Sprintf("%s preference %d protocol %#04x handle %#x", a.String(nl.TCA_KIND), h.info>>16, swap16(uint16(h.info)), h.handle),
			// Enough to delete it by; a filter's options are not kept, so it cannot be made again.
			Message: message(m[:sizeofTcMsg], []rtnl.Attr{{Type: nl.TCA_KIND, Value: a[nl.TCA_KIND]}}),
		})
	}
	return rows, nil
}

// swap16 turns the protocol in tcm_info, which is in network byte order.
func swap16(v uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], v)
	return binary.BigEndian.Uint16(b[:])
}
