package iptables

// Filter says which packets of q a rule or a policy drops or rejects, and which pass: each is in the traffic of exactly one
// of the outcomes. Rules of any table and world that the packets meet at the hooks of iptables are asked; those of nft's own on
// devices and bridges are not. Of packets that pass, nothing is said of what the kernel does with them otherwise.
//
// Packets that a rule gives another destination are followed there if it is in q.To. Where both worlds stop a packet and the
// order in which they are asked is not known, the outcome has the rule or policy of one of them, and a doubt. Unknown outcomes
// stand after all others.
func Filter(q Query, worlds ...*Rules) []Outcome {
	return filter(q, orderUnknown, worlds)
}

func filter(q Query, order hookOrder, worlds []*Rules) []Outcome {
	w := &walker{order: order, worlds: worlds, filtering: true}
	whole := w.ask(q)
	for i := range w.done {
		if e := &w.done[i]; e.verdict == Kept || e.verdict == Rewritten {
			e.verdict, e.rule, e.to = Passed, nil, ""
		}
	}
	// What is stopped either way is not undecided.
	return outcomes(w.done, &whole, func(a, b Verdict) bool { return a != Unknown && !(a == Dropped && b == Rejected) })
}
