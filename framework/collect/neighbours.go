package collect

import (
	"fmt"
	"io"
	"net"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/internal/rtnl"
	"golang.org/x/sys/unix"
)

// neighbour is an entry of a dump, with its link's number.
type neighbour struct {
	unix.NdMsg
	attrs rtnl.Attrs
}

// readNeighbours makes one dump for all links: with a dump for each, thousands of peers would be listed again and again.
func readNeighbours(family int) ([]neighbour, error) {
	msgs, err := rtnl.Neighbours(family, 0)
	if err != nil {
		return nil, err
	}
	list := make([]neighbour, 0, len(msgs))
	for _, m := range msgs {
		a, err := rtnl.Body(m, unix.SizeofNdMsg)
		if err != nil {
			return nil, err
		}
		list = append(list, neighbour{rtnl.NdMsg(m), a})
	}
	return list, nil
}

// neighboursJSON writes ip-neigh.json as `ip -j neigh show nud all` does: without "nud all", ip leaves out entries that need
// no resolution (NOARP), by which packets leave as well.
func neighboursJSON(w io.Writer, t *linkTable) error {
	list, err := readNeighbours(unix.AF_UNSPEC)
	if err != nil {
		return fmt.Errorf("list neighbours: %w", err)
	}
	rows := make([]evidence.Neighbour, 0, len(list))
	for _, n := range list {
		if n.Family != unix.AF_INET && n.Family != unix.AF_INET6 {
			continue
		}
		states, _ := bitNames(uint32(n.State), neighbourStates)
		row := evidence.Neighbour{
			Dst:   n.attrs.Addr(unix.NDA_DST).String(),
			Dev:   t.name(int(n.Ifindex)),
			State: states,
		}
		if mac := n.attrs[unix.NDA_LLADDR]; len(mac) > 0 {
			row.LLAddr = net.HardwareAddr(mac).String()
		}
		rows = append(rows, row)
	}
	return writeRows(w, rows)
}

// fdbJSON writes bridge-fdb.json: the forwarding databases of bridges, VXLAN links and network cards.
func fdbJSON(w io.Writer, t *linkTable) error {
	list, err := readNeighbours(unix.AF_BRIDGE)
	if err != nil {
		return fmt.Errorf("list forwarding databases: %w", err)
	}
	rows := make([]evidence.FDBEntry, 0, len(list))
	for _, n := range list {
		flags, _ := bitNames(uint32(n.Flags), fdbFlags)
		row := evidence.FDBEntry{
			MAC:   net.HardwareAddr(n.attrs[unix.NDA_LLADDR]).String(),
			Dev:   t.name(int(n.Ifindex)),
			Flags: flags,
			VLAN:  int(n.attrs.Uint16(unix.NDA_VLAN)),
			State: fdbState(n.State),
		}
		if dst := n.attrs.Addr(unix.NDA_DST); dst.IsValid() {
			row.Dst = dst.String()
		}
		if master := n.attrs.Uint32(unix.NDA_MASTER); master != 0 {
			row.Master = t.name(int(master))
		}
		rows = append(rows, row)
	}
	return writeRows(w, rows)
}
