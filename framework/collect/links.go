package collect

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// linksJSON writes ip-link.json.
func linksJSON(w io.Writer, t *linkTable) error {
	rows, err := t.links()
	if err != nil {
		return err
	}
	return writeRows(w, rows)
}

// linkTable is one dump of all links.
type linkTable struct {
	msgs  [][]byte
	attrs []rtnl.Attrs
	names map[int]string
	flags map[int]uint32
}

func readLinks() (*linkTable, error) {
	msgs, err := rtnl.Links()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	t := &linkTable{msgs: msgs, names: make(map[int]string, len(msgs)), flags: make(map[int]uint32, len(msgs))}
	for _, m := range msgs {
		a, err := rtnl.Body(m, unix.SizeofIfInfomsg)
		if err != nil {
			return nil, fmt.Errorf("list links: %w", err)
		}
		h := nl.DeserializeIfInfomsg(m)
		t.attrs = append(t.attrs, a)
		t.names[int(h.Index)] = a.String(unix.IFLA_IFNAME)
		t.flags[int(h.Index)] = h.Flags
	}
	return t, nil
}

// name returns the name of a link, and as iproute2 does "if7" for one that came after the dump.
func (t *linkTable) name(index int) string {
	if n, ok := t.names[index]; ok {
		return n
	}
	return fmt.Sprintf("if%d", index)
}

// lowerDown says whether the link stands on another link of this namespace (a VLAN's parent, a veth's peer) that is not
// up. With IFLA_LINK_NETNSID the other link is in another namespace.
func (t *linkTable) lowerDown(a rtnl.Attrs) bool {
	lower := int(a.Uint32(unix.IFLA_LINK))
	return lower != 0 && !a.Has(unix.IFLA_LINK_NETNSID) && t.flags[lower]&unix.IFF_UP == 0
}

func (t *linkTable) links() ([]evidence.Link, error) {
	rows := make([]evidence.Link, 0, len(t.msgs))
	for i, m := range t.msgs {
		h, a := nl.DeserializeIfInfomsg(m), t.attrs[i]
		row := evidence.Link{
			Index:     int(h.Index),
			Name:      a.String(unix.IFLA_IFNAME),
			Flags:     linkFlagNames(h.Flags, t.lowerDown(a)),
			MTU:       int(a.Uint32(unix.IFLA_MTU)),
			OperState: operState(a.Uint8(unix.IFLA_OPERSTATE)),
			LinkType:  h.EncapType(),
			Address:   linkAddress(h.Type, a[unix.IFLA_ADDRESS]),
			Stats:     stats64(a[unix.IFLA_STATS64]),
		}
		if master := a.Uint32(unix.IFLA_MASTER); master != 0 {
			row.Master = t.name(int(master))
		}
		info, err := t.linkInfo(a)
		if err != nil {
			return nil, fmt.Errorf("link %s: %w", row.Name, err)
		}
		row.Info = info
		rows = append(rows, row)
	}
	return rows, nil
}

// linkInfo returns nil for a link that is neither virtual nor a port of a virtual one.
func (t *linkTable) linkInfo(a rtnl.Attrs) (*evidence.LinkInfo, error) {
	if !a.Has(unix.IFLA_LINKINFO) {
		return nil, nil
	}
	info, err := a.Nested(unix.IFLA_LINKINFO)
	if err != nil {
		return nil, err
	}
	data, err := info.Nested(nl.IFLA_INFO_DATA)
	if err != nil {
		return nil, err
	}
	out := &evidence.LinkInfo{Kind: info.String(nl.IFLA_INFO_KIND)}
	switch out.Kind {
	case "vxlan":
		out.Data = t.vxlan(data)
	case "vlan":
		out.Data.ID = int(data.Uint16(nl.IFLA_VLAN_ID))
	case "bridge":
		if data.Has(nl.IFLA_BR_NF_CALL_IPTABLES) {
			call := int(data.Uint8(nl.IFLA_BR_NF_CALL_IPTABLES))
			out.Data.NFCallIPTables = &call
		}
	}
	return out, nil
}

func (t *linkTable) vxlan(data rtnl.Attrs) evidence.LinkData {
	learning := data.Uint8(nl.IFLA_VXLAN_LEARNING) != 0
	d := evidence.LinkData{
		ID:       int(data.Uint32(nl.IFLA_VXLAN_ID)),
		Port:     int(data.Uint16BE(nl.IFLA_VXLAN_PORT)),
		Learning: &learning,
	}
	if dev := data.Uint32(nl.IFLA_VXLAN_LINK); dev != 0 {
		d.Link = t.name(int(dev))
	}
	// An IPv6 address is "local6" in what `ip` prints, which the evidence has no field for.
	if addr := data.Addr(nl.IFLA_VXLAN_LOCAL); addr.IsValid() && !addr.IsUnspecified() {
		d.Local = addr.String()
	}
	return d
}

// otherHost is the place of rx_otherhost_dropped in struct rtnl_link_stats64 (linux/if_link.h), counted from 0. Kernels
// before 5.19 send a shorter struct.
const otherHost = 24

// stats64 reads struct rtnl_link_stats64, which is u64s all through.
func stats64(b []byte) *evidence.Stats64 {
	if len(b) < 8*8 {
		return nil
	}
	at := func(i int) uint64 {
		if len(b) < 8*(i+1) {
			return 0
		}
		return binary.NativeEndian.Uint64(b[8*i:])
	}
	return &evidence.Stats64{
		RX: evidence.RXStats{Packets: at(0), Bytes: at(2), Errors: at(4), Dropped: at(6), OtherHost: at(otherHost)},
		TX: evidence.TXStats{Packets: at(1), Bytes: at(3), Errors: at(5), Dropped: at(7)},
	}
}
