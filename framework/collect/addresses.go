package collect

import (
	"fmt"
	"io"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/framework/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// addressesJSON writes ip-addr.json: every link, with its addresses, be they none.
func addressesJSON(w io.Writer, t *linkTable) error {
	msgs, err := rtnl.Addresses()
	if err != nil {
		return fmt.Errorf("list addresses: %w", err)
	}
	byLink := make(map[int][]evidence.Addr)
	for _, m := range msgs {
		a, err := rtnl.Body(m, unix.SizeofIfAddrmsg)
		if err != nil {
			return fmt.Errorf("list addresses: %w", err)
		}
		h := nl.DeserializeIfAddrmsg(m)
		if h.Family != unix.AF_INET && h.Family != unix.AF_INET6 {
			continue
		}
		// IFA_ADDRESS is the peer's where there is a peer; IPv6 has IFA_LOCAL only then (rtnetlink(7)).
		local := a.Addr(unix.IFA_LOCAL)
		if !local.IsValid() {
			local = a.Addr(unix.IFA_ADDRESS)
		}
		row := evidence.Addr{
			Family:    family(h.Family),
			Local:     local.String(),
			PrefixLen: int(h.Prefixlen),
			Scope:     scope(h.Scope),
			Label:     a.String(unix.IFA_LABEL),
		}
		if b := a.Addr(unix.IFA_BROADCAST); b.IsValid() {
			row.Broadcast = b.String()
		}
		byLink[int(h.Index)] = append(byLink[int(h.Index)], row)
	}
	rows := make([]evidence.LinkAddrs, 0, len(t.msgs))
	for _, m := range t.msgs {
		index := int(nl.DeserializeIfInfomsg(m).Index)
		addrs := byLink[index]
		if addrs == nil {
			addrs = []evidence.Addr{}
		}
		rows = append(rows, evidence.LinkAddrs{Index: index, Name: t.name(index), Addrs: addrs})
	}
	return writeRows(w, rows)
}
