package flanneld

import (
	"context"
	"log"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// resolving are the states in which the kernel looks for a neighbour.
const resolving = netlink.NUD_INCOMPLETE | netlink.NUD_STALE | netlink.NUD_DELAY | netlink.NUD_PROBE

// watchMisses sends the addresses that the kernel has no link address for, on the link of that number, until ctx ends.
func watchMisses(ctx context.Context, link int) (<-chan netip.Addr, error) {
	updates, err := subscribe(ctx)
	if err != nil {
		return nil, err
	}
	misses := make(chan netip.Addr)
	go func() {
		for ctx.Err() == nil {
			for u := range updates {
				addr, ok := netip.AddrFromSlice(u.IP)
				// With a link address it is no miss: the kernel asks whether one that it has is right still, and flanneld does
				// not answer that.
				if !ok || u.LinkIndex != link || u.State&resolving == 0 || len(u.HardwareAddr) > 0 {
					continue
				}
				if u.Type != unix.RTM_GETNEIGH && u.Type != unix.RTM_NEWNEIGH {
					continue
				}
				select {
				case misses <- addr.Unmap():
				case <-ctx.Done():
					return
				}
			}
			// The socket's buffer ran over.
			if updates, err = subscribe(ctx); err != nil {
				log.Printf("watch for misses: %v", err)
				return
			}
		}
	}()
	return misses, nil
}

func subscribe(ctx context.Context) (<-chan netlink.NeighUpdate, error) {
	updates := make(chan netlink.NeighUpdate)
	err := netlink.NeighSubscribeWithOptions(updates, ctx.Done(), netlink.NeighSubscribeOptions{
		ErrorCallback: func(err error) {
			if ctx.Err() == nil {
				log.Printf("watch for misses: %v", err)
			}
		},
	})
	return updates, err
}
