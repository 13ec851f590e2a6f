package iptables

import (
	"cmp"
	"slices"
)

// The priorities at which the kernel does what rules depend on, and asks iptables' tables (include/uapi/linux/netfilter_ipv4.h).
const (
	prioConntrack = -200
	prioSecurity  = 50
	// prioNFTSecurity is the one with which iptables-nft 1.8.9 registers its table security. Other versions take prioSecurity.
	prioNFTSecurity = 150
	prioFirst       = -1 << 31
	prioLast        = 1<<31 - 1
)

// places are where iptables' tables are asked. The routing table is asked after PREROUTING, and again after OUTPUT where a rule
// there has changed the destination: until then, OUTPUT sees the interface of the old one (nf_nat_ipv4_local_fn in
// nf_nat_proto.c).
var places = []place{
	{table: "raw", chain: "PREROUTING", prio: -300, seesIn: true},
	{table: "mangle", chain: "PREROUTING", prio: -150, seesIn: true},
	{table: "nat", chain: "PREROUTING", prio: -100, seesIn: true},

	{table: "mangle", chain: "INPUT", prio: -150, seesIn: true},
	{table: "filter", chain: "INPUT", prio: 0, seesIn: true},
	{table: "security", chain: "INPUT", prio: prioSecurity, seesIn: true},
	{table: "nat", chain: "INPUT", prio: 100, seesIn: true},

	{table: "mangle", chain: "FORWARD", prio: -150, seesIn: true, seesOut: true},
	{table: "filter", chain: "FORWARD", prio: 0, seesIn: true, seesOut: true},
	{table: "security", chain: "FORWARD", prio: prioSecurity, seesIn: true, seesOut: true},

	{table: "raw", chain: "OUTPUT", prio: -300, seesOut: true},
	{table: "mangle", chain: "OUTPUT", prio: -150, seesOut: true},
	{table: "nat", chain: "OUTPUT", prio: -100, seesOut: true},
	{table: "filter", chain: "OUTPUT", prio: 0, seesOut: true},
	{table: "security", chain: "OUTPUT", prio: prioSecurity, seesOut: true},

	{table: "mangle", chain: "POSTROUTING", prio: -150, seesIn: true, seesOut: true},
	{table: "nat", chain: "POSTROUTING", prio: 100, seesIn: true, seesOut: true},
}

// carry carries flows through everything that they meet, by whether they come in, go out, or both.
func (w *walker) carry(flows []flow) {
	var arriving, made []flow
	for _, f := range flows {
		if f.in == "" {
			made = append(made, f)
		} else {
			arriving = append(arriving, f)
		}
	}
	arriving = w.aroundTracking("PREROUTING", arriving)
	made = w.aroundTracking("OUTPUT", made)
	var forwarded, local, leaving []flow
	for _, f := range w.route(append(arriving, made...)) {
		switch {
		case f.in == "" && f.out == "":
			w.endUnknown(Doubt{Why: "packets of the machine to itself are not followed"}, f)
		case f.out == "":
			local = append(local, f)
		case f.in == "":
			leaving = append(leaving, f)
		default:
			forwarded = append(forwarded, f)
		}
	}
	leaving = append(w.hook("FORWARD", forwarded), leaving...)
	for _, f := range append(w.hook("POSTROUTING", leaving), w.hook("INPUT", local)...) {
		if f.newSrc != nil {
			w.end(Rewritten, f.newSrc, f.newSrcTo, f)
			continue
		}
		w.end(Kept, nil, "", f)
	}
}

// aroundTracking carries flows through a hook at which connection tracking is asked, too.
func (w *walker) aroundTracking(hook string, flows []flow) []flow {
	flows = w.between(hook, prioFirst, prioConntrack-1, flows)
	if at := w.stages(hook, prioConntrack, prioConntrack); len(at) > 0 {
		w.endUnknown(Doubt{Why: "whether " + at[0].orders[0][0].String() + " comes before connection tracking is not in the files"}, flows...)
		return nil
	}
	return w.between(hook, prioConntrack+1, prioLast, w.track(flows))
}

// track is connection tracking.
func (w *walker) track(flows []flow) []flow {
	for i := range flows {
		f := &flows[i]
		switch {
		case f.track != notYetTracked:
		case w.state == Stray:
			f.track = stray
		case w.state == Established:
			f.track, f.connmarkUnknown = established, ^uint32(0)
		default:
			f.track = tracked
		}
	}
	return flows
}

// route finds the way out of packets that have a new destination.
func (w *walker) route(flows []flow) (on []flow) {
	for _, f := range flows {
		if f.newDst == nil {
			on = append(on, f)
			continue
		}
		i := slices.IndexFunc(w.to, func(s side) bool { return s.addrs.has(*f.newDst) })
		if i < 0 {
			w.end(Redirected, f.redirectedBy, addr4(*f.newDst).String(), f)
			continue
		}
		f.out = w.to[i].dev
		on = append(on, f)
	}
	return on
}

// hook carries flows through all that is asked at a hook, and returns those that pass.
func (w *walker) hook(hook string, flows []flow) []flow {
	return w.between(hook, prioFirst, prioLast, flows)
}

// between is hook for what is asked with a priority of a range.
func (w *walker) between(hook string, first, last int, flows []flow) []flow {
	if len(flows) == 0 {
		return nil
	}
	for _, s := range w.stages(hook, first, last) {
		flows = w.inAnyOrder(s, flows)
	}
	return flows
}

// stop is a base chain that packets meet at a place.
type stop struct {
	at    place
	chain *chain
	// missing says that its rules are in no file: iptables-nft-save could not print the table.
	missing bool
	// nth is where it stands in its file.
	nth int
}

// String names it.
func (s stop) String() string {
	if s.chain.world == Native {
		return s.chain.table + " " + s.chain.name
	}
	return string(s.chain.world) + " " + s.at.table + " " + s.at.chain
}

// stopsAt returns the base chains at a hook that can change the way of a packet, with their priorities. All chains of type nat
// hang on one place, that of iptables' table, and are asked by their priorities there (nf_nat_register_fn in
// net/netfilter/nf_nat_core.c).
func (w *walker) stopsAt(hook string) (here []stop) {
	var nat place
	for _, at := range places {
		if at.chain != hook {
			continue
		}
		if at.table == "nat" {
			nat = at
		}
		for _, r := range w.worlds {
			if s, acts := r.stopAt(at); acts && !(s.missing && w.prints(r, at.table)) {
				here = append(here, s)
			}
		}
	}
	for _, r := range w.worlds {
		for i, c := range r.bases {
			if c.hook != hook || len(c.rules) == 0 && c.policy != policyDrop {
				continue
			}
			at := place{table: c.kind, chain: hook, prio: c.prio, inner: c.prio, seesIn: hook != "OUTPUT", seesOut: hook != "PREROUTING" && hook != "INPUT"}
			if c.kind == "nat" {
				at.prio = nat.prio
			}
			here = append(here, stop{at: at, chain: c, nth: i})
		}
	}
	return here
}

// prints reports whether a table of nf_tables that a world's file lacks stands among the tables that nft printed.
func (w *walker) prints(r *Rules, table string) bool {
	return r.world != Legacy && slices.ContainsFunc(w.worlds, func(other *Rules) bool { return other.native["ip "+table] })
}

// stopAt returns the world's base chain at a place, and whether it has anything that can change the way of a packet.
func (r *Rules) stopAt(at place) (stop, bool) {
	at.inner = at.prio
	if r.foreign[at.table] {
		return stop{at: at, chain: &chain{world: r.world, table: at.table, name: at.chain}, missing: true}, true
	}
	t := r.tables[at.table]
	if t == nil {
		return stop{}, false
	}
	c := t.chains[at.chain]
	return stop{at: at, chain: c}, c != nil && (len(c.rules) > 0 || c.policy == policyDrop)
}

// stages returns what is asked at a hook with a priority of a range, one after the other.
func (w *walker) stages(hook string, first, last int) []stage {
	here := slices.DeleteFunc(w.stopsAt(hook), func(s stop) bool { return s.at.prio < first || s.at.prio > last })
	if w.order == nftFirst {
		for i := range here {
			if here[i].lateSecurity() {
				here[i].at.prio = prioNFTSecurity
			}
		}
	}
	slices.SortStableFunc(here, byPrio)
	var out []stage
	for len(here) > 0 {
		end := here[0].at.prio
		if w.order == orderUnknown && end >= prioSecurity && slices.ContainsFunc(here, stop.lateSecurity) {
			end = max(end, prioNFTSecurity)
		}
		n := 0
		for n < len(here) && here[n].at.prio <= end {
			n++
		}
		out = append(out, w.stage(here[:n]))
		here = here[n:]
	}
	return out
}

func byPrio(a, b stop) int {
	return cmp.Or(cmp.Compare(a.at.prio, b.at.prio), cmp.Compare(a.at.inner, b.at.inner))
}

// lateSecurity reports whether it is iptables-nft's table security, which stands before or after nat by its version.
func (s stop) lateSecurity() bool { return s.chain.world == NFT && s.at.table == "security" }
