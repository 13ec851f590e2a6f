package flannel

import (
	"fmt"

	"github.com/netfault/netfault/detectors"
)

// SetNeighbour is the command that makes v send packets for peer's pods to the address that peer has.
func (v *VTEP) SetNeighbour(peer *VTEP) detectors.Command {
	return detectors.Command{
		Node: v.Node(),
		Argv: []string{"ip", "neigh", "replace", peer.Addr.String(), "lladdr", peer.Announced.String(), "dev", v.Dev, "nud", "permanent"},
		Why:  fmt.Sprintf("%s sends packets for %s's pods to the address that %s's %s has", v.Node(), peer.Node(), peer.Node(), peer.Dev),
	}
}

// SetFDB is the command that makes v forward frames for peer to peer's node.
func (v *VTEP) SetFDB(peer *VTEP) detectors.Command {
	return detectors.Command{
		Node: v.Node(),
		Argv: []string{"bridge", "fdb", "replace", peer.Announced.String(), "dev", v.Dev, "dst", peer.PublicIP.String(), "self", "permanent"},
		Why:  fmt.Sprintf("%s forwards frames for that address to %s (%s)", v.Node(), peer.Node(), peer.PublicIP),
	}
}
