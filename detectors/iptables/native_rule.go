package iptables

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors/nftables"
)

// builder makes steps of the rules of a table.
type builder struct {
	table  *nftables.Table
	chains map[string]*chain
}

// steps makes those of a rule.
func (b *builder) steps(rule *nftables.Rule) ([]step, error) {
	var out []step
	vmap := -1 // where the first map of verdicts stands, if there is none but conditions and such maps since
	for i, s := range rule.Statements {
		steps, err := b.statement(s, i == len(rule.Statements)-1)
		if err != nil {
			return nil, &nftables.SyntaxError{Reason: fmt.Sprintf("rule %d of table %s: %v", rule.Handle, clip(b.table.String()), err)}
		}
		if protos := b.layer(s); protos != nil && vmap >= 0 {
			out = slices.Insert(out, vmap, step{kind: stepMatch, cond: &condition{
				fields: []field{{kind: fieldProto, mask: ^uint32(0)}}, any: [][]operand{{{nums: protos}}}, perhaps: movedProtocol,
			}})
			vmap = -1
		}
		switch {
		case s.Name == "vmap" && vmap < 0:
			vmap = len(out)
		case s.Name != "vmap" && s.Name != "match":
			vmap = -1
		}
		out = append(out, steps...)
	}
	mergePorts(out)
	return out, nil
}

// movedProtocol is the doubt about a map of verdicts before a field of a protocol. nft leaves out the condition that a packet is of it, and
// so prints the same whether that stands before the map or after it (nft 1.0.6, `meta l4proto udp ct state vmap { … } udp dport 80`).
const movedProtocol = "not known: whether the protocol of what follows is asked for before the map of verdicts, since nft does not print that"

// layer are the protocols of whose headers a statement asks for a field; nil if it asks for none, or for `th`.
func (b *builder) layer(s nftables.Statement) set {
	var asked any
	switch s.Name {
	case "match":
		asked = member(s.Arg, "left")
	case "vmap":
		asked = member(s.Arg, "key")
	default:
		return nil
	}
	for _, f := range b.fields(asked) {
		if f.protos != nil {
			return f.protos
		}
	}
	return nil
}

// statement makes the steps of one statement; last says that nothing follows in its rule.
func (b *builder) statement(s nftables.Statement, last bool) ([]step, error) {
	switch s.Name {
	case "match":
		return []step{{kind: stepMatch, cond: b.match(s)}}, nil
	case "accept", "drop", "return", "continue", "jump", "goto":
		t, err := b.verdict(s.Name, s.Arg)
		return []step{do(t)}, err
	case "vmap":
		return b.verdicts(s)
	case "mangle":
		return b.mangle(s), nil
	case "notrack":
		return []step{do(target{kind: targetNotrack})}, nil
	case "reject":
		return b.reject(s.Arg), nil
	case "masquerade", "snat", "dnat", "redirect":
		return b.nat(s), nil
	case "counter", "log", "ct helper", "ct timeout", "ct expectation", "secmark", "last", "dup":
		// These let the packet go on, and change nothing that is asked for here.
		return nil, nil
	case "set", "flow":
		// An element that cannot be added ends the rule (nft_dynset_eval), as does a packet that is not offloaded.
		if last {
			return nil, nil
		}
		return []step{perhaps(s)}, nil
	case "limit", "quota", "ct count", "meter":
		return []step{perhaps(s)}, nil
	case "xt":
		if kind, _ := member(s.Arg, "type").(string); kind == "match" {
			return []step{perhaps(s)}, nil
		}
	}
	return []step{unclear(s.Text())}, nil
}

func do(t target) step { return step{kind: stepDo, targets: []target{t}} }

func perhaps(s nftables.Statement) step {
	return step{kind: stepPerhaps, why: "not understood: " + s.Text()}
}

func unclear(text string) step { return do(unclearTarget(text)) }

// unclearTarget quotes what is not understood.
func unclearTarget(text string) target {
	return target{kind: targetUnclear, text: "not understood: " + text}
}

// member returns a member of an object, nil if it is none or has none of that name.
func member(v any, name string) any {
	object, _ := v.(map[string]any)
	return object[name]
}

// verdict reads one of the verdicts.
func (b *builder) verdict(name string, arg any) (target, error) {
	switch name {
	case "accept":
		return target{kind: targetAccept}, nil
	case "drop":
		return target{kind: targetDrop}, nil
	case "return":
		return target{kind: targetReturn}, nil
	case "continue":
		return target{kind: targetNone}, nil
	case "jump", "goto":
		c := b.chains[nftables.Target(arg)]
		if c == nil {
			return target{}, fmt.Errorf("%s to chain %q, which is not there", name, clip(nftables.Target(arg)))
		}
		if name == "jump" {
			return target{kind: targetJump, chain: c}, nil
		}
		return target{kind: targetGoto, chain: c}, nil
	}
	return unclearTarget(name), nil
}

// verdicts reads a map of verdicts.
func (b *builder) verdicts(s nftables.Statement) ([]step, error) {
	return b.lookUp(member(s.Arg, "key"), member(s.Arg, "data"), s.Text(), func(v any) (target, error) {
		object, _ := v.(map[string]any)
		for name, arg := range object {
			return b.verdict(name, arg)
		}
		return unclearTarget(s.Text()), nil
	})
}

// lookUp makes steps that do what stands beside a key in a map; text quotes the statement.
func (b *builder) lookUp(key, data any, text string, read func(value any) (target, error)) ([]step, error) {
	elems, why := b.elements(data, true)
	if why != "" {
		return []step{{kind: stepPerhaps, why: why}, do(target{kind: targetUnclear, text: why})}, nil
	}
	var keys []any
	var targets []target
	for _, e := range elems {
		t, err := read(e.Value)
		if err != nil {
			return nil, err
		}
		keys, targets = append(keys, e.Key), append(targets, t)
	}
	if n := member(key, "numgen"); n != nil {
		// The numbers are from 0 to mod-1, and each is as good as another.
		mod, _ := numberOf(member(n, "mod"))
		always := int(mod) == len(targets) && member(n, "offset") == 0.0
		if always && len(targets) == 1 {
			return []step{do(targets[0])}, nil
		}
		return []step{{kind: stepAny, targets: targets, why: "which of several is taken is not known", always: always}}, nil
	}
	cond := &condition{fields: b.fields(key)}
	for _, k := range keys {
		alternative, ok := operands(cond.fields, k)
		if !ok || slices.ContainsFunc(cond.fields, func(f field) bool { return f.kind == fieldUnclear }) {
			return []step{{kind: stepAny, targets: targets, why: "not understood: " + text}}, nil
		}
		cond.any = append(cond.any, alternative)
	}
	return []step{{kind: stepMap, cond: cond, targets: targets}}, nil
}

// elements returns those of a set or map: one with a name, or what stands in the rule. why says what is not known of them.
func (b *builder) elements(v any, isMap bool) (elems []nftables.Elem, why string) {
	name, _ := v.(string)
	if bare, ok := strings.CutPrefix(name, "@"); ok {
		s := b.table.Set(bare)
		switch {
		case s == nil:
			return nil, "not understood: " + name
		case s.Changes():
			return nil, "not known: what is in " + name + " when a packet comes"
		case len(s.Elems) == 0 && !b.table.Listed():
			return nil, "not known: what is in " + name + ", which stands here without elements, as nft -t lists it"
		case isMap && len(s.Type) > 1 && slices.Contains(s.Flags, "interval"):
			return nil, "not understood: concatenations of intervals in a map, " + name
		}
		return s.Elems, ""
	}
	list, ok := member(v, "set").([]any)
	if !ok {
		list = []any{member(v, "set")}
	}
	for _, e := range list {
		elem, ok := nftables.Element(e, isMap)
		if !ok {
			return nil, "not understood: an element of a map"
		}
		elems = append(elems, elem)
	}
	return elems, ""
}

// reject knows that nft prints no condition for what `tcp reset` needs.
func (b *builder) reject(arg any) []step {
	t := target{kind: targetReject, text: "icmp-port-unreachable"}
	kind, _ := member(arg, "type").(string)
	code, _ := member(arg, "expr").(string)
	switch {
	case kind == "tcp reset":
		t.text = "tcp-reset"
		tcp := &condition{fields: []field{{kind: fieldProto}}, any: [][]operand{{{nums: set{{protoTCP, protoTCP}}}}}}
		return []step{{kind: stepMatch, cond: tcp}, do(t)}
	case kind == "icmpv6":
		return []step{{kind: stepMatch, cond: &condition{fields: []field{{kind: fieldNever}}}}}
	case code != "":
		t.text = "icmp-" + code
	}
	return []step{do(t)}
}

// harmless are the fields that rules may set without changing anything that is asked for here.
var harmless = []string{"meta priority", "meta nftrace", "meta pkttype", "ip dscp", "ip ecn", "ip ttl", "ct label", "ct event"}

// mangle sets marks; other fields are harmless, or not understood.
func (b *builder) mangle(s nftables.Statement) []step {
	key := member(s.Arg, "key")
	kind := stepSetMark
	switch text := keyText(key); {
	case text == "meta mark":
	case text == "ct mark":
		kind = stepSetConnmark
	case slices.Contains(harmless, text) || member(key, "tcp option") != nil:
		return nil
	default:
		return []step{unclear(s.Text())}
	}
	value, ok := readMark(member(s.Arg, "value"))
	if !ok {
		return []step{unclear(s.Text())}
	}
	return []step{{kind: kind, mark: value}}
}

// keyText names a field, "" for what is none.
func keyText(v any) string {
	for _, kind := range []string{"meta", "ct"} {
		if key, ok := member(member(v, kind), "key").(string); ok {
			return kind + " " + key
		}
	}
	if p := member(v, "payload"); p != nil {
		return fmt.Sprint(member(p, "protocol"), " ", member(p, "field"))
	}
	return ""
}

// readMark reads what a mark is set to: a number, a mark, or one with & | ^ and numbers.
func readMark(v any) (markValue, bool) {
	if n, ok := numberOf(v); ok {
		return markValue{xor: n}, true
	}
	switch keyText(v) {
	case "meta mark":
		return markValue{from: fromMark, and: ^uint32(0)}, true
	case "ct mark":
		return markValue{from: fromConnmark, and: ^uint32(0)}, true
	}
	for _, op := range []string{"&", "|", "^"} {
		list, _ := member(v, op).([]any)
		if len(list) < 2 {
			continue
		}
		m, ok := readMark(list[0])
		for _, arg := range list[1:] {
			n, isNumber := numberOf(arg)
			ok = ok && isNumber
			switch op {
			case "&":
				m.and, m.xor = m.and&n, m.xor&n
			case "|":
				m.and, m.xor = m.and&^n, m.xor&^n|n
			case "^":
				m.xor ^= n
			}
		}
		return m, ok
	}
	return markValue{}, false
}

// nat reads the statements that rewrite addresses. Those of IPv6 in a table inet do nothing to IPv4 (nft_nat_inet_eval).
func (b *builder) nat(s nftables.Statement) []step {
	kind := map[string]targetKind{"masquerade": targetMasquerade, "snat": targetSNAT, "dnat": targetDNAT, "redirect": targetRedirect}[s.Name]
	if member(s.Arg, "family") == "ip6" {
		return nil
	}
	to := natTo{random: slices.ContainsFunc(flags(member(s.Arg, "flags")), func(f string) bool { return f == "random" || f == "fully-random" })}
	if port := member(s.Arg, "port"); port != nil {
		ports, ok := portSet(port)
		if !ok {
			return []step{unclear(s.Text())}
		}
		to.ports = ports
	}
	addr := member(s.Arg, "addr")
	if member(s.Arg, "type_flags") != nil || (addr == nil) != (kind == targetMasquerade || kind == targetRedirect) {
		return []step{unclear(s.Text())}
	}
	if m := member(addr, "map"); m != nil {
		steps, _ := b.lookUp(member(m, "key"), member(m, "data"), s.Text(), func(v any) (target, error) {
			return natTarget(kind, to, v, s.Text()), nil
		})
		return steps
	}
	return []step{do(natTarget(kind, to, addr, s.Text()))}
}

// natTarget makes a target that leads to an address, a range of them, or an address and a port.
func natTarget(kind targetKind, to natTo, addr any, text string) target {
	if pair, ok := member(addr, "concat").([]any); ok && len(pair) == 2 && to.ports == nil {
		to.ports, ok = portSet(pair[1])
		if !ok {
			return unclearTarget(text)
		}
		addr = pair[0]
	}
	if addr != nil {
		nums, ok := spanOf(addr, addrNumber)
		if !ok {
			return unclearTarget(text)
		}
		to.addrs = nums
		to.text = addrText(nums)
		if to.ports != nil {
			to.text += ":" + portText(to.ports)
		}
	}
	return target{kind: kind, nat: &to}
}
