package iptables

import "slices"

// The places that packets meet, by the priorities of include/uapi/linux/netfilter_ipv4.h. Connection tracking is asked
// between raw and mangle. The routing table is asked after PREROUTING, and again after OUTPUT where a rule there has changed
// the destination: until then, OUTPUT sees the interface of the old one (nf_nat_ipv4_local_fn in nf_nat_proto.c).
var (
	rawPrerouting = place{table: "raw", chain: "PREROUTING", seesIn: true}
	rawOutput     = place{table: "raw", chain: "OUTPUT", seesOut: true}

	prerouting = []place{
		{table: "mangle", chain: "PREROUTING", seesIn: true},
		{table: "nat", chain: "PREROUTING", seesIn: true},
	}
	input = []place{
		{table: "mangle", chain: "INPUT", seesIn: true},
		{table: "filter", chain: "INPUT", seesIn: true},
	}
	securityInput = place{table: "security", chain: "INPUT", seesIn: true}
	natInput      = place{table: "nat", chain: "INPUT", seesIn: true}

	output = []place{
		{table: "mangle", chain: "OUTPUT", seesOut: true},
		{table: "nat", chain: "OUTPUT", seesOut: true},
		{table: "filter", chain: "OUTPUT", seesOut: true},
		{table: "security", chain: "OUTPUT", seesOut: true},
	}
	forwarding = []place{
		{table: "mangle", chain: "FORWARD", seesIn: true, seesOut: true},
		{table: "filter", chain: "FORWARD", seesIn: true, seesOut: true},
		{table: "security", chain: "FORWARD", seesIn: true, seesOut: true},
	}
	postrouting = []place{
		{table: "mangle", chain: "POSTROUTING", seesIn: true, seesOut: true},
		{table: "nat", chain: "POSTROUTING", seesIn: true, seesOut: true},
	}
)

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
	arriving = w.hooks(prerouting, w.track(w.hook(rawPrerouting, arriving)))
	made = w.hooks(output, w.track(w.hook(rawOutput, made)))
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
	leaving = append(w.hooks(forwarding, forwarded), leaving...)
	for _, f := range append(w.hooks(postrouting, leaving), w.securityAndNAT(w.hooks(input, local))...) {
		if f.newSrc != nil {
			w.end(Rewritten, f.newSrc, f.newSrc.target.nat.text, f)
			continue
		}
		w.end(Kept, nil, "", f)
	}
}

// track is connection tracking.
func (w *walker) track(flows []flow) []flow {
	for i := range flows {
		f := &flows[i]
		switch {
		case f.track != notYetTracked:
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

// hooks carries flows through places, one after the other.
func (w *walker) hooks(places []place, flows []flow) []flow {
	for _, at := range places {
		flows = w.hook(at, flows)
	}
	return flows
}

// hook carries flows through one table's base chain in all worlds and returns those that pass.
func (w *walker) hook(at place, flows []flow) []flow {
	why := Doubt{Why: "which of nft's and legacy's " + at.table + " " + at.chain + " comes first is not in the files"}
	return w.inAnyOrder(why, w.orders(w.stops(at)), flows)
}

// securityAndNAT carries flows through the last two tables of INPUT. That of nft's security comes before or after nat, by
// the priority with which iptables-nft has registered it (see nftFirst).
func (w *walker) securityAndNAT(flows []flow) []flow {
	security, nat := w.stops(securityInput), w.stops(natInput)
	late := slices.IndexFunc(security, func(s stop) bool { return s.rules.world == NFT })
	if late < 0 || len(nat) == 0 {
		return w.hook(natInput, w.hook(securityInput, flows))
	}
	others := slices.Delete(slices.Clone(security), late, late+1)
	var all [][]stop
	for _, n := range w.orders(nat) {
		all = append(all, slices.Concat(others, n, security[late:late+1]))
		if w.order == orderUnknown {
			for _, s := range w.orders(security) {
				all = append(all, slices.Concat(s, n))
			}
		}
	}
	return w.inAnyOrder(Doubt{Why: "in which order nft's and legacy's security and nat INPUT come is not in the files"}, all, flows)
}

// actsAt reports whether the world has anything at a place that can change the way of a packet.
func (r *Rules) actsAt(at place) bool {
	if r.foreign[at.table] {
		return true
	}
	t := r.tables[at.table]
	if t == nil {
		return false
	}
	c := t.chains[at.chain]
	return c != nil && (len(c.rules) > 0 || c.policy == policyDrop)
}

// walk carries flows through the world's base chain at w.at.
func (r *Rules) walk(w *walker, flows []flow) {
	if r.foreign[w.at.table] {
		w.endUnknown(Doubt{Why: "native nft rules in table " + w.at.table + " are not in the file"}, flows...)
		return
	}
	w.base(r.tables[w.at.table].chains[w.at.chain], flows)
}
