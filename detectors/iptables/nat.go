package iptables

import "slices"

// natChains are the base chains in which the kernel lets a target stand (xt_MASQUERADE.c, xt_nat.c, xt_REDIRECT.c,
// xt_NETMAP.c).
var natChains = map[targetKind][]string{
	targetMasquerade: {"POSTROUTING"},
	targetSNAT:       {"POSTROUTING", "INPUT"},
	targetDNAT:       {"PREROUTING", "OUTPUT"},
	targetRedirect:   {"PREROUTING", "OUTPUT"},
	targetNetmap:     {"PREROUTING", "OUTPUT", "POSTROUTING", "INPUT"},
}

// nat does what MASQUERADE, SNAT, DNAT, REDIRECT or NETMAP, as the target of r, does with flows. The first of them decides for its
// hook, in whichever world it stands (nf_nat_inet_fn in net/netfilter/nf_nat_core.c).
func (w *walker) nat(r *Rule, t *target, flows []flow) {
	if w.at.table != "nat" || !slices.Contains(natChains[t.kind], w.at.chain) {
		w.endUnknown(Doubt{r, "the kernel does not let such a rule stand here"}, flows...)
		return
	}
	w.changed = true
	for i := range flows {
		f := &flows[i]
		f.bound = true
		switch t.kind {
		case targetMasquerade:
			// The address is the outgoing interface's, which is never that of a packet from elsewhere.
			w.newSource(r, "the address of "+f.out, *f)
		case targetSNAT:
			w.snat(r, t.nat, f)
		case targetDNAT:
			w.dnat(r, t.nat, f)
		case targetRedirect:
			w.redirect(r, t.nat, f)
		case targetNetmap:
			w.netmap(r, t.nat, f)
		}
	}
}

// snat leaves packets alone whose address is already right: get_unique_tuple in nf_nat_core.c tries the packet's own
// first. Which address of several is taken otherwise is a matter of a hash.
func (w *walker) snat(r *Rule, to *natTo, f *flow) {
	own, others := f.restrict(dimSrc, to.addrs, false)
	w.newSource(r, to.text, others...)
	if _, one := to.addrs.single(); one || !to.random && to.ports == nil {
		w.accepted = append(w.accepted, own...)
		return
	}
	w.endUnknown(Doubt{r, "which of its addresses is taken is not known"}, own...)
}

// newSource lets packets go on with another source.
func (w *walker) newSource(r *Rule, to string, flows ...flow) {
	for _, f := range flows {
		f.newSrc, f.newSrcTo = r, to
		w.accepted = append(w.accepted, f)
	}
}

// dnat follows packets to their new destination if there is just one.
func (w *walker) dnat(r *Rule, to *natTo, f *flow) {
	addr, oneAddr := to.addrs.single()
	port, onePort := to.ports.single()
	if !oneAddr || to.ports != nil && !onePort {
		w.dnatAnywhere(r, to, f)
		return
	}
	// Packets that have this destination already are not rewritten, and the connection does not count as such.
	same, others := f.restrictDst(to.addrs, false)
	if to.ports != nil && len(same) > 0 {
		part := same[0]
		var different []flow
		same, different = part.restrictDport(to.ports, false)
		others = append(others, different...)
	}
	if to.random && len(same) > 0 {
		// ICMP has ids in the place of ports, and they are drawn even so (nf_nat_l4proto_unique_tuple).
		part := same[0]
		var echo []flow
		echo, same = part.restrict(dimProto, set{{protoICMP, protoICMP}}, false)
		others = append(others, echo...)
	}
	w.accepted = append(w.accepted, same...)
	for _, g := range others {
		g.newDst, g.redirectedBy = &addr, r
		if to.ports != nil {
			g.newDport = &port
		}
		g.track = trackedDNAT
		w.accepted = append(w.accepted, g)
	}
}

// netmap gives each packet an address of its own of a network: the source where sources are changed, and else the destination. One
// that is of the network already keeps it.
func (w *walker) netmap(r *Rule, to *natTo, f *flow) {
	if w.at.chain == "POSTROUTING" || w.at.chain == "INPUT" {
		w.snat(r, to, f)
		return
	}
	same, others := f.restrictDst(to.addrs, false)
	w.accepted = append(w.accepted, same...)
	for _, g := range others {
		w.dnatAnywhere(r, to, &g)
	}
}

// dnatAnywhere ends packets that get one of several destinations: which is not known. Where none of them is one of
// those that are asked for, it does not matter.
func (w *walker) dnatAnywhere(r *Rule, to *natTo, f *flow) {
	for _, s := range w.to {
		if len(s.addrs.and(to.addrs)) > 0 {
			w.endUnknown(Doubt{r, "which of its destinations is taken is not known"}, *f)
			return
		}
	}
	w.end(Redirected, r, to.text, *f)
}

// redirect gives packets an address of the interface by which they come, its first one: nf_nat_redirect_ipv4 in
// net/netfilter/nf_nat_redirect.c. Those that the machine itself makes get 127.0.0.1.
func (w *walker) redirect(r *Rule, to *natTo, f *flow) {
	if f.in == "" || !slices.ContainsFunc(w.to, func(s side) bool { return s.dev == "" }) {
		w.end(Redirected, r, "this machine", *f)
		return
	}
	addrs := w.types.addressesOf(f.in)
	if _, one := addrs.single(); !one {
		w.endUnknown(Doubt{r, "which address of " + f.in + " is taken is not known"}, *f)
		return
	}
	w.dnat(r, &natTo{text: "this machine", addrs: addrs, ports: to.ports, random: to.random}, f)
}
