package podsnat

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strconv"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
)

// doubtPolicy adds a doubt for each policy rule that may lead what the node's pods send to a peer's another way than table main does.
func (n *node) doubtPolicy(b *evidence.Bundle) {
	// open are the peers whose packets the rules so far have not sent by table main.
	open := make([]int, len(n.paths.peers))
	for i := range open {
		open[i] = i
	}
	for r, err := range b.PolicyRules(n.name()) {
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			n.doubts = append(n.doubts, detectors.Unreadable("", err))
			return
		}
		if r.Table == "main" {
			open = slices.DeleteFunc(open, func(i int) bool {
				return takesAll(r, n.lease.PodCIDR, n.paths.peers[i].PodCIDR) && !suppressed(r, n.paths.routes[i].Dst)
			})
			continue
		}
		n.doubtDiverted(r, open)
	}
}

// takesAll reports whether a rule is for all packets from one network to another: it asks for nothing but addresses.
func takesAll(r evidence.PolicyRule, from, to string) bool {
	plain := evidence.PolicyRule{
		Priority: r.Priority, Src: r.Src, SrcLen: r.SrcLen, Dst: r.Dst, DstLen: r.DstLen,
		Table: r.Table, SuppressPrefixLen: r.SuppressPrefixLen, Protocol: r.Protocol, Pos: r.Pos,
	}
	holds := func(addr string, bits int, cidr string) bool {
		asked, all := asksFor(addr, bits)
		p := netip.MustParsePrefix(cidr)
		return all || asked.IsValid() && asked.Bits() <= p.Bits() && asked.Contains(p.Addr())
	}
	return r == plain && holds(r.Src, r.SrcLen, from) && holds(r.Dst, r.DstLen, to)
}

// asksFor returns the network that a rule asks for by an address and a length, or that it takes all.
func asksFor(addr string, bits int) (network netip.Prefix, all bool) {
	if bits == 0 {
		bits = 32
	}
	network, _ = netip.ParsePrefix(addr + "/" + strconv.Itoa(bits))
	return network, addr == "" || addr == "all"
}

// suppressed reports whether a route does not count for a rule.
func suppressed(r evidence.PolicyRule, dst netip.Prefix) bool {
	return r.SuppressPrefixLen != nil && dst.Bits() <= *r.SuppressPrefixLen
}

// doubtDiverted adds a doubt if a rule may lead what the node's pods send to one of some peers' elsewhere than table main does.
func (n *node) doubtDiverted(r evidence.PolicyRule, peers []int) {
	if !n.mayConcern(r, r.Src, r.SrcLen, n.lease.PodCIDR) {
		return
	}
	doubt := func(file string, at evidence.Pos, text string) {
		n.doubts = append(n.doubts, detectors.Line{File: evidence.NodeFile(n.name(), file), At: at, Text: detectors.OneLine(text)})
	}
	for _, i := range peers {
		p := n.paths.peers[i]
		if !n.mayConcern(r, r.Dst, r.DstLen, p.PodCIDR) {
			continue
		}
		if r.Goto != nil || r.Action != "" {
			doubt(evidence.PolicyFile, r.Pos, fmt.Sprintf("not followed: what the policy rule %d does with packets to %s's pods", r.Priority, p.Node))
			return
		}
		table, ok := n.paths.table.Others[r.Table]
		if !ok {
			continue
		}
		for _, way := range table.Ways(netip.MustParsePrefix(p.PodCIDR)) {
			main := n.paths.routes[i]
			if !suppressed(r, way.Dst) && (way.Dev != main.Dev || way.Gateway != main.Gateway || !way.Unicast) {
				doubt(evidence.RouteFile, way.Pos, fmt.Sprintf("%s, in table %s: not followed, though the policy rule %d may lead packets to %s's pods there",
					way.Text(), r.Table, r.Priority, p.Node))
				return
			}
		}
	}
}

// mayConcern reports whether a rule may be for packets from the node's pods whose source, or destination, is in cidr and of which the
// rule asks that they have addr, with a prefix of some bits. They have no mark when they come in, and no socket.
func (n *node) mayConcern(r evidence.PolicyRule, addr string, bits int, cidr string) bool {
	if r.Not {
		return true
	}
	if r.OIF != "" || r.UIDStart != nil || r.TunID != 0 || r.IIF != "" && n.paths.bridge != "" && r.IIF != n.paths.bridge || asksForMark(r) {
		return false
	}
	asked, all := asksFor(addr, bits)
	return all || !asked.IsValid() || asked.Overlaps(netip.MustParsePrefix(cidr))
}

// asksForMark reports whether a rule is for packets with a mark only.
func asksForMark(r evidence.PolicyRule) bool {
	mark, err := strconv.ParseUint(r.FWMark, 0, 32)
	return err == nil && mark != 0
}
