package kstate

import (
	"encoding/binary"
	"fmt"

	"github.com/netfault/netfault/framework/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
)

// Parents of filters on a clsact qdisc (linux/pkt_sched.h).
const (
	clsactIngress = 0xfffffff2
	clsactEgress  = 0xfffffff3
)

// readQdiscs reads the qdiscs that somebody attached, and their filters, by name: what their options are is not compared.
// A qdisc with the handle 0 is the kernel's default, which comes with the link's first going up.
func readQdiscs(n names) (qdiscs, filters []Row, err error) {
	msgs, err := rtnl.Qdiscs()
	if err != nil {
		return nil, nil, fmt.Errorf("list qdiscs: %w", err)
	}
	for _, m := range msgs {
		list, a, err := rtnl.Split(m, nl.SizeofTcMsg)
		if err != nil {
			return nil, nil, fmt.Errorf("list qdiscs: %w", err)
		}
		h := nl.DeserializeTcMsg(m)
		if h.Handle == 0 {
			continue
		}
		kind := a.String(nl.TCA_KIND)
		row := Row{Object: fmt.Sprintf("dev %s parent %#x", n.name(int(h.Ifindex)), h.Parent), Text: kind}
		h.Info = 0 // a count
		row.Message = rtnl.Message(m[:nl.SizeofTcMsg], nil)
		for _, attr := range list {
			if attr.Type == nl.TCA_KIND || attr.Type == nl.TCA_OPTIONS {
				row.Message = rtnl.Append(row.Message, attr)
			}
		}
		qdiscs = append(qdiscs, row)
		parents := []uint32{h.Handle}
		if kind == "clsact" {
			parents = []uint32{clsactIngress, clsactEgress}
		}
		for _, parent := range parents {
			more, err := readFilters(n, h.Ifindex, parent)
			if err != nil {
				return nil, nil, err
			}
			filters = append(filters, more...)
		}
	}
	return qdiscs, filters, nil
}

func readFilters(n names, ifindex int32, parent uint32) ([]Row, error) {
	msgs, err := rtnl.Filters(ifindex, parent)
	if err != nil {
		return nil, fmt.Errorf("list filters of %s: %w", n.name(int(ifindex)), err)
	}
	var rows []Row
	for _, m := range msgs {
		_, a, err := rtnl.Split(m, nl.SizeofTcMsg)
		if err != nil {
			return nil, fmt.Errorf("list filters of %s: %w", n.name(int(ifindex)), err)
		}
		h := nl.DeserializeTcMsg(m)
		rows = append(rows, Row{
			Object: fmt.Sprintf("dev %s parent %#x", n.name(int(ifindex)), h.Parent),
			Text:   fmt.Sprintf("%s preference %d protocol %#04x handle %#x", a.String(nl.TCA_KIND), h.Info>>16, swap16(uint16(h.Info)), h.Handle),
			// Enough to delete it by; a filter's options are not kept, so it cannot be made again.
			Message: rtnl.Message(m[:nl.SizeofTcMsg], []rtnl.Attr{{Type: nl.TCA_KIND, Value: a[nl.TCA_KIND]}}),
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
