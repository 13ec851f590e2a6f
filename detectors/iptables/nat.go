package iptables

// nat does what MASQUERADE, SNAT, DNAT or REDIRECT of r does with flows. The first of them decides for its hook, in
// whichever world it stands (nf_nat_inet_fn in net/netfilter/nf_nat_core.c).
func (w *walker) nat(r *Rule, flows []flow) {
	source := r.target.kind == targetMasquerade || r.target.kind == targetSNAT
	wanted := "PREROUTING"
	if source {
		wanted = "POSTROUTING"
	}
	if w.at.table != "nat" || w.at.chain != wanted {
		w.endUnknown(Doubt{r, "the kernel does not let such a rule stand here"}, flows...)
		return
	}
	w.changed = true
	for i := range flows {
		f := &flows[i]
		f.bound = true
		switch r.target.kind {
		case targetMasquerade:
			// The address is the outgoing interface's, which is never that of a packet from elsewhere.
			w.end(Rewritten, r, "the address of "+f.out, *f)
		case targetSNAT:
			w.snat(r, f)
		case targetDNAT:
			w.dnat(r, f)
		case targetRedirect:
			w.end(Redirected, r, "this machine", *f)
		}
	}
}

// snat leaves packets alone whose address is already right: get_unique_tuple in nf_nat_core.c tries the packet's own
// first. Which address of several is taken otherwise is a matter of a hash.
func (w *walker) snat(r *Rule, f *flow) {
	to := r.target.nat
	own, others := f.restrict(dimSrc, to.addrs, false)
	w.end(Rewritten, r, to.text, others...)
	if _, one := to.addrs.single(); one || !to.random && to.ports == nil {
		w.accepted = append(w.accepted, own...)
		return
	}
	w.endUnknown(Doubt{r, "which of its addresses is taken is not known"}, own...)
}

// dnat follows packets to their new destination if there is just one.
func (w *walker) dnat(r *Rule, f *flow) {
	to := r.target.nat
	addr, oneAddr := to.addrs.single()
	port, onePort := to.ports.single()
	if !oneAddr || to.ports != nil && !onePort {
		w.dnatAnywhere(r, f)
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

// dnatAnywhere ends packets that get one of several destinations: which is not known. Where none of them is one of
// those that are asked for, it does not matter.
func (w *walker) dnatAnywhere(r *Rule, f *flow) {
	for _, to := range w.to {
		if len(to.addrs.and(r.target.nat.addrs)) > 0 {
			w.endUnknown(Doubt{r, "which of its destinations is taken is not known"}, *f)
			return
		}
	}
	w.end(Redirected, r, r.target.nat.text, *f)
}
