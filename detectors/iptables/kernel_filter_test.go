package iptables

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// TestKernelFilter holds Filter to a live kernel, as TestKernel does Evaluate: packets that are forwarded, that are for the
// node itself, and that it makes, of new and of established connections.
func TestKernelFilter(t *testing.T) {
	overRuleSets(t, func(k *kernelNet, r *rand.Rand, number uint64, counts map[string]int) {
		k.tryFilter(filterMaker(r), number, counts)
	})
}

func filterMaker(r *rand.Rand) *ruleMaker {
	return &ruleMaker{Rand: r, chains: filterChains, fill: 65, srcs: fromAny, dsts: anyNets, devs: anyDevs}
}

// tryFilter compares one rule set's outcomes.
func (k *kernelNet) tryFilter(g *ruleMaker, number uint64, counts map[string]int) {
	g.mayBeVague = g.chance(25)
	worlds := k.load(g)
	if worlds == nil {
		return
	}
	states := []State{New}
	if number%2 == 0 {
		states = append(states, Established)
	}
	if number%3 == 0 {
		states = append(states, Stray)
	}
	defer func() { k.flags = byte(New.flags()) }()
	for _, state := range states {
		packets := g.filterPackets(packetsPerSet)
		k.flags = byte(state.flags())
		if state == Stray {
			packets = slices.DeleteFunc(packets, func(p Packet) bool { return p.Proto != protoTCP || ofHost(p.Src) || ofHost(p.Dst) })
		}
		if state == Established {
			packets = slices.DeleteFunc(packets, func(p Packet) bool { return p.Proto != protoUDP })
			for i := range packets {
				packets[i].Sport += packetsPerSet
				k.establish(packets[i])
			}
		}
		// The nft tables are made anew with each set, so they are registered last, and come first.
		all, anyOrder := map[bool][]Outcome{}, map[bool][]Outcome{}
		for _, made := range []bool{false, true} {
			all[made] = filter(k.filterQuery(made, state), nftFirst, worlds)
			anyOrder[made] = Filter(k.filterQuery(made, state), worlds...)
		}
		saw := k.exchange(packets)
		for i, p := range packets {
			made := ofHost(p.Src)
			only := k.filterQuery(made, state)
			only.Only = &p
			one := filter(only, nftFirst, worlds)
			for name, outcomes := range map[string][]Outcome{"alone": one, "of all packets": all[made], "in any order": anyOrder[made]} {
				found := outcomesOf(outcomes, p)
				why := fmt.Sprintf("%d outcomes for the packet", len(found))
				if len(found) == 1 {
					why = passesWrongly(found[0], saw[i])
				}
				if why == "" && name == "of all packets" && found[0].Verdict != one[0].Verdict {
					why = "another verdict than alone"
				}
				if why == "" && name == "alone" && found[0].Verdict == Unknown && !g.vague && !saysSo(state, found[0]) {
					why = "unknown, but nothing in the rules is so by design"
				}
				if why != "" {
					k.t.Errorf("rule set %d, state %d, %s: seen: %s: the outcomes %s say %v: %s\n%s", number, state, p, saw[i], name, found, why, k.allRules(g))
					return
				}
				if name == "in any order" && found[0].Verdict == Unknown {
					counts["unknown, without the order of worlds"]++
				}
			}
			counts[wayOf(p)+" "+map[State]string{New: "new", Established: "established", Stray: "stray"}[state]+" "+string(one[0].Verdict)+by(one[0])]++
			if saw[i].refused && !saw[i].src.IsValid() {
				counts["senders were told of a rejection"]++
			}
		}
		k.record(g, &state, number, packets, saw)
	}
	counts["rule sets"]++
}

// saysSo reports whether an outcome is unknown for what Query and Filter do not know of a packet.
func saysSo(state State, o Outcome) bool {
	why := map[State]string{New: "not followed: the source", Established: "not known: the ", Stray: "not followed: the source"}[state]
	return slices.ContainsFunc(o.Doubts, func(d Doubt) bool { return strings.HasPrefix(d.Why, why) })
}

func wayOf(p Packet) string {
	switch {
	case ofHost(p.Dst):
		return "in: "
	case ofHost(p.Src):
		return "out:"
	}
	return "forwarded:"
}

// by names the table and chain that stopped packets.
func by(o Outcome) string {
	switch {
	case o.Policy != nil:
		return " by policy in " + o.Policy.Chain()
	case o.Rule != nil && o.Verdict != Redirected:
		return " by rule in " + baseOf(o.Rule.Chain())
	}
	return ""
}

// filterQuery asks for packets that pods send to peers and to the node, or that the node makes.
func (k *kernelNet) filterQuery(made bool, state State) Query {
	q := k.query()
	q.State = state
	host := Side{}
	for _, a := range hostAddrs {
		host.Addrs = append(host.Addrs, netip.PrefixFrom(netip.MustParseAddr(a), 32))
	}
	if made {
		q.From = []Side{host}
	} else {
		q.From[0].Except = host.Addrs
		q.To = append(q.To, host)
	}
	return q
}

// passesWrongly says why an outcome is not what was seen, or "".
func passesWrongly(o Outcome, saw seen) string {
	arrived := saw.src.IsValid()
	switch {
	case o.Verdict == Passed && !arrived:
		return "want it to arrive"
	case (o.Verdict == Dropped || o.Verdict == Rejected) && arrived:
		return "want it not to arrive"
	case o.Verdict == Dropped && len(o.Doubts) == 0 && saw.refused:
		return "want no answer to the sender"
	case o.Verdict == Redirected && arrived && saw.dst != netip.AddrFrom4([4]byte{127, 0, 0, 1}) && !ofHost(saw.dst):
		return "want it elsewhere"
	}
	return ""
}
