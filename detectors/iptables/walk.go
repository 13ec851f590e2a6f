package iptables

// walker carries flows through rules.
type walker struct {
	worlds []*Rules
	order  hookOrder
	to     []side
	state  State
	// filtering says that it matters which rule or policy stops a packet, not only what passes.
	filtering bool
	types     *typeTable
	sets      map[string]KnownSet
	// inAtPostrouting is that of the query.
	inAtPostrouting bool
	at              place
	// accepted are the flows that the present base chain lets pass, and done those that have come to their end.
	accepted []flow
	done     []final
	// changed says that a rule has changed something in a flow that a rule elsewhere may ask for.
	changed bool
	// steps counts looks at a rule with a flow.
	steps int
	// gaveUp says that flows were not followed to their ends, since there were too many.
	gaveUp bool
}

// Most rule sets of nodes take some 100,000 steps and a handful of flows; 10,000 Services and an interface for each of 250
// pods take 5,000,000.
const (
	maxSteps = 30_000_000
	maxFlows = 5_000
	// splitSteps is how many steps a closer look counts, by the time that it takes.
	splitSteps = 30
	// manyFlows is from when on flows are joined as soon as possible.
	manyFlows = 32
)

// tooMany reports whether flows are too many to follow, or have been before.
func (w *walker) tooMany(flows int) bool {
	if w.steps > maxSteps || flows > maxFlows || len(w.accepted)+len(w.done) > 4*maxFlows {
		w.gaveUp = true
	}
	return w.gaveUp
}

// base carries flows through a base chain; a policy is for what returns from it.
func (w *walker) base(c *chain, flows []flow) {
	back := w.chain(c, flows)
	if c.policy == policyDrop {
		w.stop(final{verdict: Dropped, policy: c}, back)
		return
	}
	w.accepted = append(w.accepted, back...)
}

// chain carries flows through the rules of c and returns those that come back from it, by its end or by RETURN. It uses
// the slice that it is given.
func (w *walker) chain(c *chain, flows []flow) (back []flow) {
	many := manyFlows
	for _, r := range c.rules {
		if len(flows) == 0 || w.tooMany(len(flows)+len(back)) {
			break
		}
		w.steps += len(flows)
		if r.chain.world == Native {
			if r.mayRun(flows) {
				on, returned := w.run(r, flows)
				flows, back = on, append(back, returned...)
				flows, many = joinMany(flows, many)
			}
			continue
		}
		if r.target.kind == targetNone || !r.mayMatchAny(flows) {
			continue
		}
		var matched, rest []flow
		untouched := 0
		for i := range flows {
			if !r.mayMatch(&flows[i]) {
				if untouched < i {
					flows[untouched] = flows[i]
				}
				untouched++
				continue
			}
			w.steps += splitSteps
			m, n := w.split(r, &flows[i])
			matched, rest = append(matched, m...), append(rest, n...)
		}
		flows = append(flows[:untouched], rest...)
		if len(matched) == 0 {
			continue
		}
		on, returned := w.apply(r, &r.target, matched)
		back = append(back, returned...)
		flows = append(flows, on...)
		if r.mayDoubt() {
			flows = dedupe(flows)
		}
		flows, many = joinMany(flows, many)
	}
	return append(back, flows...)
}

// joinMany joins flows where they are more than many, and returns from how many on it is worth the next time.
func joinMany(flows []flow, many int) ([]flow, int) {
	if len(flows) > many {
		flows = join(flows)
		many = max(manyFlows, 2*len(flows))
	}
	return flows, many
}

// apply does with flows what a target of r says. It returns those that go on to the next rule, and those that leave the chain by
// RETURN; the others are accepted or done.
func (w *walker) apply(r *Rule, t *target, flows []flow) (on, returned []flow) {
	switch t.kind {
	case targetAccept:
		w.accepted = append(w.accepted, flows...)
		return nil, nil
	case targetDrop:
		w.stop(final{verdict: Dropped, rule: r}, flows)
		return nil, nil
	case targetReject:
		w.stop(final{verdict: Rejected, rule: r, to: t.text}, flows)
		return nil, nil
	case targetReturn:
		return nil, flows
	case targetJump:
		return w.chain(t.chain, flows), nil
	case targetGoto:
		// What comes back from the other chain comes back from this one, too (ipt_do_table pushes no way back).
		return nil, w.chain(t.chain, flows)
	case targetMark, targetSetConnmark, targetSaveMark, targetRestoreMark, targetNotrack:
		for i := range flows {
			w.setMarks(t, &flows[i])
		}
		return flows, nil
	case targetMasquerade, targetSNAT, targetDNAT, targetRedirect, targetNetmap:
		w.nat(r, t, flows)
		return nil, nil
	}
	w.endUnknown(Doubt{r, t.text}, flows...)
	return nil, nil
}

// setMarks follows net/netfilter/xt_mark.c, xt_connmark.c and xt_CT.c. Connection marks need a connection.
func (w *walker) setMarks(t *target, f *flow) {
	before := *f
	hasConnection := f.track.hasConnection()
	switch t.kind {
	case targetMark:
		f.mark = f.mark&^t.mask ^ t.value
		f.markUnknown &^= t.mask
	case targetSetConnmark:
		if hasConnection {
			f.connmark = f.connmark&^t.mask ^ t.value
			f.connmarkUnknown &^= t.mask
		}
	case targetSaveMark:
		if hasConnection {
			f.connmark = f.connmark&^t.mask ^ f.mark&t.packetMask
			f.connmarkUnknown = f.connmarkUnknown&^t.mask | f.markUnknown&t.packetMask
		}
	case targetRestoreMark:
		if hasConnection {
			f.mark = f.mark&^t.packetMask ^ f.connmark&t.mask
			f.markUnknown = f.markUnknown&^t.packetMask | f.connmarkUnknown&t.mask
		}
	case targetNotrack:
		if f.track == notYetTracked {
			f.track = untracked
		}
	}
	if f.mark != before.mark || f.connmark != before.connmark || f.markUnknown != before.markUnknown ||
		f.connmarkUnknown != before.connmarkUnknown || f.track != before.track {
		w.changed = true
	}
}
