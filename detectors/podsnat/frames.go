package podsnat

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/internal/flannel"
)

// frame is where a node's flannel link sends what has a VTEP address as its gateway, if that is not the node of that address.
type frame struct {
	// nodes are those that take it; none if it gets lost, which is stale-vtep's to say.
	nodes []string
	// lines quote the neighbour entry and the FDB rows by which it goes there.
	lines []detectors.Line
}

// tunnel is flannel's VXLAN network as leases and links say it is.
type tunnel struct {
	b     *evidence.Bundle
	vteps []flannel.VTEP
	// byNode, byAddr and byMAC have the indices of vteps; byAddr those alone whose address no other has.
	byNode map[string]int
	byAddr map[netip.Addr]int
	byMAC  map[evidence.MAC][]int
	// owner returns the name of the node that has an address, "" if none is known.
	owner func(netip.Addr) string
}

func newTunnel(b *evidence.Bundle, vteps []flannel.VTEP, owner func(netip.Addr) string) *tunnel {
	t := &tunnel{b: b, vteps: vteps, byNode: map[string]int{}, byAddr: map[netip.Addr]int{}, byMAC: map[evidence.MAC][]int{}, owner: owner}
	shared := map[netip.Addr]bool{}
	for i := range vteps {
		v := &vteps[i]
		_, taken := t.byAddr[v.Addr]
		shared[v.Addr] = taken || shared[v.Addr]
		t.byNode[v.Node()], t.byAddr[v.Addr] = i, i
		t.byMAC[v.Announced] = append(t.byMAC[v.Announced], i)
	}
	for addr, is := range shared {
		if is {
			delete(t.byAddr, addr)
		}
	}
	return t
}

// entry is what a node has for a peer's VTEP: the MAC of its neighbour entry, and the rows of the FDB for that.
type entry struct {
	mac  evidence.MAC
	at   evidence.Pos
	rows []row
}

// row is a row of the FDB.
type row struct {
	mac evidence.MAC
	dst netip.Addr
	at  evidence.Pos
}

// astray returns, by the VTEP address, the frames of a node that do not go to the node of that address. Where the node's entries
// cannot be read, they are taken to be as flannel writes them: to say more is stale-vtep's.
func (t *tunnel) astray(node string) map[netip.Addr]frame {
	i, ok := t.byNode[node]
	if !ok {
		return nil
	}
	own := &t.vteps[i]
	entries, defaults, err := t.read(own)
	if err != nil {
		return nil
	}
	frames := map[netip.Addr]frame{}
	for addr, p := range t.byAddr {
		if p == i {
			continue
		}
		e := &entries[p]
		if len(e.rows) == 0 {
			e.rows = defaults
		}
		e.rows = slices.DeleteFunc(slices.Clone(e.rows), func(r row) bool { return t.taker(own, p, e.mac, r) < 0 })
		if len(e.rows) != 1 || t.taker(own, p, e.mac, e.rows[0]) != p {
			frames[addr] = t.frameBy(own, p, e)
		}
	}
	return frames
}

// taker returns who takes a frame for a MAC that a node sends to a peer by a row, -1 if nobody does. Two nodes may have the address
// that a row leads to, which is stale-vtep's to say: if the peer is one of them, it is the peer that is meant.
func (t *tunnel) taker(own *flannel.VTEP, peer int, mac evidence.MAC, r row) int {
	to, known := t.byNode[t.owner(r.dst)]
	if r.dst == t.vteps[peer].PublicIP {
		to, known = peer, true
	}
	if !known || !takes(own, &t.vteps[to], mac) {
		return -1
	}
	return to
}

// frameBy quotes an entry for a peer, and the rows by which somebody takes its frames.
func (t *tunnel) frameBy(own *flannel.VTEP, peer int, e *entry) frame {
	f := frame{lines: []detectors.Line{{
		File: evidence.NodeFile(own.Node(), evidence.NeighFile), At: e.at, Text: fmt.Sprintf("%s dev %s lladdr %s", t.vteps[peer].Addr, own.Dev, e.mac),
	}}}
	for _, r := range e.rows {
		f.nodes = append(f.nodes, t.vteps[t.taker(own, peer, e.mac, r)].Node())
		f.lines = append(f.lines, detectors.Line{
			File: evidence.NodeFile(own.Node(), evidence.FDBFile), At: r.at, Text: fmt.Sprintf("%s dev %s dst %s", r.mac, own.Dev, r.dst),
		})
	}
	return f
}

// takes reports whether a VTEP takes frames of another for a MAC: they must be for its own address, and not come from the same
// (vxlan_set_mac in drivers/net/vxlan/vxlan_core.c). One whose link could not be read has the address that its lease announces.
func takes(from, to *flannel.VTEP, mac evidence.MAC) bool {
	if to.State == flannel.LinkMissing || to.State == flannel.LinkDown {
		return false
	}
	return address(to) == mac && address(from) != mac
}

func address(v *flannel.VTEP) evidence.MAC {
	if v.Live != 0 {
		return v.Live
	}
	return v.Announced
}

// read returns what a node has for each VTEP, and where it forwards MACs that have no row of their own.
func (t *tunnel) read(own *flannel.VTEP) (entries []entry, defaults []row, err error) {
	entries = make([]entry, len(t.vteps))
	// odd are the VTEPs whose entries have another MAC than they announce.
	odd := map[evidence.MAC][]int{}
	for n, err := range t.b.Neighbours(own.Node()) {
		if err != nil {
			return nil, nil, err
		}
		addr, err := netip.ParseAddr(string(n.Dst))
		p, known := t.byAddr[addr]
		if err != nil || !known || string(n.Dev) != own.Dev || !n.State.Resolved() {
			continue
		}
		mac, err := evidence.ParseMAC(n.LLAddr)
		if err != nil {
			return nil, nil, err
		}
		entries[p] = entry{mac: mac, at: n.Pos}
		if mac != t.vteps[p].Announced {
			odd[mac] = append(odd[mac], p)
		}
	}
	for f, err := range t.b.FDB(own.Node()) {
		if err != nil {
			return nil, nil, err
		}
		dst, dstErr := netip.ParseAddr(string(f.Dst))
		if string(f.Dev) != own.Dev || dstErr != nil {
			continue
		}
		mac, err := evidence.ParseMAC(f.MAC)
		if err != nil {
			return nil, nil, err
		}
		r := row{mac, dst, f.Pos}
		if mac == 0 {
			defaults = append(defaults, r)
			continue
		}
		for _, p := range t.byMAC[mac] {
			if entries[p].mac == mac {
				entries[p].rows = append(entries[p].rows, r)
			}
		}
		for _, p := range odd[mac] {
			entries[p].rows = append(entries[p].rows, r)
		}
	}
	return entries, defaults, nil
}

// entriesFor are the commands that make a node's entries for a peer right; none where another has the peer's MAC as well, since
// one row cannot lead to both.
func (t *tunnel) entriesFor(node, peer string) []detectors.Command {
	own, to := &t.vteps[t.byNode[node]], &t.vteps[t.byNode[peer]]
	if len(t.byMAC[to.Announced]) > 1 {
		return nil
	}
	return []detectors.Command{own.SetNeighbour(to), own.SetFDB(to)}
}
