package iptables

type stepKind uint8

const (
	// stepMatch lets packets go on within the rule that meet its condition.
	stepMatch stepKind = iota
	// stepPerhaps lets some packets go on; which is not known.
	stepPerhaps
	// stepSetMark and stepSetConnmark set a mark.
	stepSetMark
	stepSetConnmark
	// stepDo does what its target says.
	stepDo
	// stepMap does what the target says that stands beside the key which packets have.
	stepMap
	// stepAny does what one of several targets says; which is not known.
	stepAny
)

// step is one statement of a rule of nft's own. Where a condition does not hold, what follows in the rule is not done, and what
// was done stays done (NFT_BREAK in nft_do_chain, net/netfilter/nf_tables_core.c).
type step struct {
	kind stepKind
	cond *condition
	// targets are one for each alternative of cond for stepMap, the possible ones for stepAny, and the only one for stepDo.
	targets []target
	mark    markValue
	// why says what is not known of stepPerhaps and stepAny.
	why string
	// always says of stepAny that there is no packet for which none of the targets is taken.
	always bool
}

// markValue is what a mark is set to: an old one & and ^ xor.
type markValue struct {
	from     markSource
	and, xor uint32
}

type markSource uint8

const (
	fromNothing markSource = iota
	fromMark
	fromConnmark
)

// run does with flows what a rule of nft's own says. It returns those that go on to the next rule, and those that leave the
// chain by return; the others are accepted or done.
func (w *walker) run(r *Rule, flows []flow) (on, returned []flow) {
	before := len(flows)
	for i := range r.steps {
		if len(flows) == 0 || w.tooMany(len(flows)+len(on)) {
			break
		}
		s := &r.steps[i]
		switch s.kind {
		case stepMatch:
			matched, rest := w.meet(r, s.cond, flows)
			flows, on = matched, append(on, rest...)
		case stepPerhaps:
			perhaps, rest := bothWays(flows, Doubt{r, s.why})
			flows, on = perhaps, append(on, rest...)
		case stepSetMark, stepSetConnmark:
			var set []flow
			for i := range flows {
				if w.setMark(s, &flows[i]) {
					set = append(set, flows[i])
				} else {
					on = append(on, flows[i])
				}
			}
			flows = set
		default:
			var o, b []flow
			flows, o, b = w.choose(r, s, flows)
			on, returned = append(on, o...), append(returned, b...)
		}
	}
	on = append(on, flows...)
	if len(on) > before {
		on = dedupe(on)
	}
	return on, returned
}

// choose does with flows what the targets of a step say. It returns those that go on within the rule as well.
func (w *walker) choose(r *Rule, s *step, flows []flow) (within, on, returned []flow) {
	do := func(t *target, flows []flow) {
		if len(flows) == 0 {
			return
		}
		if t.kind == targetNone {
			within = append(within, flows...)
			return
		}
		o, b := w.apply(r, t, flows)
		on, returned = append(on, o...), append(returned, b...)
	}
	switch s.kind {
	case stepDo:
		do(&s.targets[0], flows)
	case stepMap:
		each, rest := w.lookUp(r, s.cond, flows)
		on = append(on, rest...)
		for i := range each {
			do(&s.targets[i], each[i])
		}
	case stepAny:
		for i := range s.targets {
			var perhaps []flow
			for j := range flows {
				yes, _ := flows[j].both(Doubt{r, s.why})
				perhaps = append(perhaps, yes...)
			}
			do(&s.targets[i], perhaps)
		}
		if !s.always {
			for j := range flows {
				_, no := flows[j].both(Doubt{r, s.why})
				on = append(on, no...)
			}
		}
	}
	return within, on, returned
}

// setMark returns false where the value is a connection's mark and there is no connection: nft_ct_get_eval in
// net/netfilter/nft_ct.c breaks then, while nft_ct_set_eval does nothing.
func (w *walker) setMark(s *step, f *flow) bool {
	before := *f
	var value, unknown uint32
	switch s.mark.from {
	case fromMark:
		value, unknown = f.mark, f.markUnknown
	case fromConnmark:
		if !f.track.hasConnection() {
			return false
		}
		value, unknown = f.connmark, f.connmarkUnknown
	}
	value, unknown = value&s.mark.and^s.mark.xor, unknown&s.mark.and
	switch {
	case s.kind == stepSetMark:
		f.mark, f.markUnknown = value, unknown
	case f.track.hasConnection():
		f.connmark, f.connmarkUnknown = value, unknown
	}
	if f.mark != before.mark || f.markUnknown != before.markUnknown || f.connmark != before.connmark || f.connmarkUnknown != before.connmarkUnknown {
		w.changed = true
	}
	return true
}

// mayRun is a quick look at whether any packet of flows can meet the first condition of a rule of nft's own.
func (r *Rule) mayRun(flows []flow) bool {
	if len(r.steps) == 0 {
		return false
	}
	s := &r.steps[0]
	if s.kind != stepMatch || s.cond.not || s.cond.unclear != "" || s.cond.perhaps != "" {
		return true
	}
	for i := range flows {
		for j := range s.cond.any {
			if s.cond.mayHave(s.cond.any[j], &flows[i]) {
				return true
			}
		}
	}
	return false
}
