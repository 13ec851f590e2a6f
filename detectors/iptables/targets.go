package iptables

import "strings"

// readTarget reads what a rule does, to the end of its line.
func (p *parser) readTarget(r *Rule, isGoto bool) {
	start := p.pos
	name, _ := p.next()
	if c := p.table.chains[name]; c != nil && !c.base() {
		r.target = target{kind: targetJump, chain: c}
		if isGoto {
			r.target.kind = targetGoto
		}
	} else if isGoto || !p.readExtension(&r.target, name) {
		r.target = target{kind: targetUnclear}
	}
	if _, more := p.peek(); more {
		r.target = target{kind: targetUnclear}
	}
	if r.target.kind == targetUnclear {
		for _, ok := p.next(); ok; {
			_, ok = p.next()
		}
		r.target.text = "not understood: -j " + strings.TrimSpace(p.text[start:p.pos])
	}
}

// readExtension reads the options of a target that is no chain. It returns false if it does not understand them.
func (p *parser) readExtension(t *target, name string) bool {
	switch name {
	case "ACCEPT":
		t.kind = targetAccept
	case "DROP":
		t.kind = targetDrop
	case "RETURN":
		t.kind = targetReturn
	case "REJECT":
		return p.readReject(t)
	case "LOG", "NFLOG", "ULOG", "TRACE", "AUDIT", "TCPMSS", "TOS", "DSCP", "ECN", "CLASSIFY", "CHECKSUM", "SECMARK",
		"CONNSECMARK", "SET", "TTL":
		// These let the packet go on, and change nothing that is asked for here.
		p.restOfOptions()
	case "MARK":
		return p.readSetMark(t, targetMark)
	case "CONNMARK":
		return p.readConnmark(t)
	case "NOTRACK":
		t.kind = targetNotrack
	case "CT":
		word, _ := p.next()
		t.kind = targetNotrack
		return word == "--notrack"
	case "MASQUERADE":
		return p.readNAT(t, targetMasquerade)
	case "SNAT":
		return p.readNAT(t, targetSNAT) && t.nat.addrs != nil
	case "DNAT":
		return p.readNAT(t, targetDNAT) && t.nat.addrs != nil
	case "NETMAP":
		return p.readNetmap(t)
	case "REDIRECT":
		return p.readNAT(t, targetRedirect)
	default:
		return false
	}
	return true
}

// readReject reads --reject-with; port-unreachable is what the kernel is given without.
func (p *parser) readReject(t *target) bool {
	t.kind, t.text = targetReject, "icmp-port-unreachable"
	option, more := p.next()
	if !more {
		return true
	}
	if option != "--reject-with" {
		return false
	}
	t.text, more = p.next()
	return more
}

func (p *parser) restOfOptions() {
	for _, ok := p.next(); ok; {
		_, ok = p.next()
	}
}

// readSetMark reads the options of MARK that CONNMARK has, too. iptables-save prints all of them as --set-xmark, but
// other programs write such files as well.
func (p *parser) readSetMark(t *target, kind targetKind) bool {
	option, _ := p.next()
	word, _ := p.next()
	value, mask, ok := parseMasked(word)
	t.kind = kind
	switch option {
	case "--set-xmark":
		t.value, t.mask = value, mask
	case "--set-mark":
		t.value, t.mask = value, mask|value
	case "--or-mark":
		t.value, t.mask = value, value
	case "--and-mark":
		t.value, t.mask = 0, ^value
	case "--xor-mark":
		t.value, t.mask = value, 0
	default:
		return false
	}
	return ok
}

func (p *parser) readConnmark(t *target) bool {
	option, _ := p.peek()
	switch option {
	case "--save-mark":
		t.kind = targetSaveMark
	case "--restore-mark":
		t.kind = targetRestoreMark
	default:
		return p.readSetMark(t, targetSetConnmark)
	}
	p.next()
	t.mask, t.packetMask = ^uint32(0), ^uint32(0)
	for {
		option, more := p.next()
		if !more {
			return true
		}
		word, _ := p.next()
		mask, ok := parseWord32(word)
		switch {
		case !ok:
			return false
		case option == "--mask":
			t.mask, t.packetMask = mask, mask
		case option == "--ctmask":
			t.mask = mask
		case option == "--nfmask":
			t.packetMask = mask
		default:
			return false
		}
	}
}

// readNAT reads the options of the four targets that rewrite addresses.
func (p *parser) readNAT(t *target, kind targetKind) bool {
	t.kind = kind
	t.nat = &natTo{}
	for {
		option, more := p.next()
		if !more {
			return true
		}
		switch option {
		case "--random", "--random-fully":
			t.nat.random = true
		case "--persistent":
		case "--to-ports":
			word, _ := p.next()
			ports, ok := parseRange(word, "-")
			if !ok {
				return false
			}
			t.nat.ports = set{ports}
		case "--to-source", "--to-destination":
			word, _ := p.next()
			if t.nat.addrs != nil || !t.nat.parse(word) {
				return false
			}
		default:
			return false
		}
	}
}

func (p *parser) readNetmap(t *target) bool {
	option, _ := p.next()
	word, _ := p.next()
	span, ok := parseNetwork(word)
	t.kind, t.nat = targetNetmap, &natTo{text: word, addrs: set{span}}
	return ok && option == "--to"
}

// parse reads ADDRESS[-ADDRESS][:PORT[-PORT]]. Ports that are shifted (PORT-PORT/BASE) are not understood, nor ports
// without an address.
func (n *natTo) parse(s string) bool {
	n.text = s
	addrs, ports, hasPorts := strings.Cut(s, ":")
	if hasPorts {
		span, ok := parseRange(ports, "-")
		if !ok {
			return false
		}
		n.ports = set{span}
	}
	var ok bool
	n.addrs, ok = parseAddrs(addrs)
	return ok
}

// parseAddrs reads ADDRESS[-ADDRESS].
func parseAddrs(s string) (addrs set, ok bool) {
	from, to, isRange := strings.Cut(s, "-")
	lo, ok := parseAddr(from)
	hi := lo
	if ok && isRange {
		hi, ok = parseAddr(to)
	}
	return set{{lo, hi}}, ok && lo <= hi
}
