package rtnl

import (
	"encoding/binary"
	"errors"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// What x/sys lacks of linux/neighbour.h.
const (
	ndtaThresh2 = 3
	ndtaThresh3 = 4
	ndtaConfig  = 5
	// sizeofNdtMsg is that of struct ndtmsg.
	sizeofNdtMsg = 4
)

// NeighbourTable is the kernel's ARP table as a whole: there is one for all network namespaces together.
type NeighbourTable struct {
	// Entries are those of all network namespaces, of every state.
	Entries int
	// Threshold2 and Threshold3 are net.ipv4.neigh.default.gc_thresh2 and gc_thresh3. From the first on, the kernel throws
	// out entries that are older than 5 seconds, whosever they are, and at the second it makes no new one. It counts neither
	// permanent nor externally learned ones for that.
	Threshold2, Threshold3 int
}

// ARPTable reads the table's size and limits. Any network namespace shows the same.
func ARPTable() (NeighbourTable, error) {
	msgs, err := Dump(unix.NETLINK_ROUTE, unix.RTM_GETNEIGHTBL, unix.RTM_NEWNEIGHTBL, &netlink.Ndmsg{Family: unix.AF_INET})
	if err != nil {
		return NeighbourTable{}, err
	}
	for _, m := range msgs {
		a, err := Body(m, sizeofNdtMsg)
		if err != nil {
			return NeighbourTable{}, err
		}
		// The table's own message has them; those of its links do not. struct ndt_config: two u16, then the entries.
		if config := a[ndtaConfig]; len(config) >= 8 && m[0] == unix.AF_INET {
			return NeighbourTable{
				Entries:    int(binary.NativeEndian.Uint32(config[4:])),
				Threshold2: int(a.Uint32(ndtaThresh2)), Threshold3: int(a.Uint32(ndtaThresh3)),
			}, nil
		}
	}
	return NeighbourTable{}, errors.New("the kernel tells nothing of its ARP table")
}

// Counted says whether an entry (an RTM_NEWNEIGH body) counts against the table's limits: since Linux 5.0, those that are
// permanent or externally learned do not (net/core/neighbour.c, neigh_alloc).
func Counted(neighbour []byte) bool {
	h := NdMsg(neighbour)
	return h.State&unix.NUD_PERMANENT == 0 && h.Flags&unix.NTF_EXT_LEARNED == 0
}
