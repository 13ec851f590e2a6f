package iptables

import (
	"fmt"
	"strings"

	"github.com/netfault/netfault/detectors/nftables"
)

// match reads a condition.
func (b *builder) match(s nftables.Statement) *condition {
	left, right := member(s.Arg, "left"), member(s.Arg, "right")
	op, _ := member(s.Arg, "op").(string)
	c := &condition{fields: b.fields(left)}
	unclear := func() *condition {
		c.unclear = "not understood: " + s.Text()
		return c
	}
	if fd := &c.fields[0]; len(c.fields) == 1 && fd.hasBits() {
		// `in` and `!` ask for any of several bits. Those of a set are compared one by one.
		if bits, ok := fd.bits(right); ok && (op == "in" || op == "!") {
			fd.mask &= bits
			c.any = [][]operand{{{nums: set{{0, 0}}}}}
			c.not = op == "in"
			return c
		}
	}
	name, isName := right.(string)
	isSet := member(right, "set") != nil || isName && strings.HasPrefix(name, "@")
	switch op {
	case "==", "in":
	case "!=":
		c.not = true
	case "<", ">", "<=", ">=":
		o, ok := below(&c.fields[0], right, op)
		if len(c.fields) > 1 || !ok {
			return unclear()
		}
		c.any = [][]operand{{o}}
		return c
	default:
		return unclear()
	}
	if !isSet {
		alternative, ok := operands(c.fields, right)
		if !ok {
			return unclear()
		}
		c.any = [][]operand{alternative}
		return c
	}
	elems, why := b.elements(right, false)
	if why != "" {
		c.unclear = why
		return c
	}
	for _, e := range elems {
		alternative, ok := operands(c.fields, e.Key)
		if !ok {
			return unclear()
		}
		c.any = append(c.any, alternative)
	}
	if len(c.fields) == 1 && len(c.any) > 1 {
		c.any = [][]operand{{unionOf(c.any)}}
	}
	return c
}

// unionOf puts the alternatives of one field into one.
func unionOf(any [][]operand) (o operand) {
	var spans []span
	for _, a := range any {
		spans = append(spans, a[0].nums...)
		o.names = append(o.names, a[0].names...)
	}
	o.nums = newSet(spans...)
	return o
}

// below reads what is less or more than a number.
func below(fd *field, right any, op string) (operand, bool) {
	o, ok := fd.operand(right)
	n, one := o.nums.single()
	if !ok || !one || fd.hasBits() {
		return o, false
	}
	switch {
	case op == "<=" || op == "<" && n > 0:
		if op == "<" {
			n--
		}
		return operand{nums: set{{0, n}}}, true
	case op == ">=" || op == ">" && n < 1<<32-1:
		if op == ">" {
			n++
		}
		return operand{nums: set{{n, 1<<32 - 1}}}, true
	}
	return operand{}, true
}

// fields reads an expression: one field, or a concatenation. There is at least one.
func (b *builder) fields(v any) []field {
	list, ok := member(v, "concat").([]any)
	if !ok || len(list) == 0 {
		return []field{b.field(v)}
	}
	var out []field
	for _, part := range list {
		out = append(out, b.field(part))
	}
	return out
}

// field reads one field, with a mask or without.
func (b *builder) field(v any) field {
	if list, ok := member(v, "&").([]any); ok && len(list) == 2 {
		fd := b.field(list[0])
		bits, ok := fd.bits(list[1])
		if !ok || fd.kind != fieldMark && fd.kind != fieldConnmark && !fd.hasBits() {
			fd.kind, fd.text = fieldUnclear, exprText(v)
			return fd
		}
		fd.mask &= bits
		return fd
	}
	fd := b.plainField(v)
	fd.mask, fd.text = ^uint32(0), exprText(v)
	return fd
}

// exprText quotes an expression.
func exprText(v any) string {
	return strings.TrimSuffix(nftables.Statement{Name: "match", Arg: map[string]any{"left": v, "right": ""}}.Text(), " ")
}

var metaFields = map[string]fieldKind{
	"l4proto": fieldProto, "iifname": fieldIn, "iif": fieldIn, "oifname": fieldOut, "oif": fieldOut, "mark": fieldMark,
}

var ctFields = map[string]fieldKind{
	"state": fieldState, "status": fieldStatus, "mark": fieldConnmark, "direction": fieldDirection,
}

// layers are the protocols by which nft names their headers. Where it prints a field of one, it leaves out that the packet must be
// of it.
var layers = map[string]set{
	"tcp": {{protoTCP, protoTCP}}, "udp": {{protoUDP, protoUDP}}, "icmp": {{protoICMP, protoICMP}}, "icmpv6": {{58, 58}},
	"igmp": {{2, 2}}, "sctp": {{132, 132}}, "dccp": {{33, 33}}, "udplite": {{136, 136}}, "esp": {{50, 50}}, "ah": {{51, 51}},
	"comp": {{108, 108}}, "gre": {{47, 47}}, "th": nil,
}

func (b *builder) plainField(v any) field {
	if meta := member(v, "meta"); meta != nil {
		key, _ := member(meta, "key").(string)
		kind, ok := metaFields[key]
		switch {
		case ok:
			return field{kind: kind}
		case key == "nfproto":
			return field{kind: fieldFixed, fixed: fixedNumbers["ipv4"]}
		case key == "protocol":
			return field{kind: fieldFixed, fixed: fixedNumbers["ip"]}
		}
	}
	if ct := member(v, "ct"); ct != nil {
		key, _ := member(ct, "key").(string)
		dir := member(ct, "dir")
		kind, ok := ctFields[key]
		switch {
		case ok && dir == nil:
			return field{kind: kind}
		case dir == "original" && (key == "ip saddr" || key == "saddr"):
			return field{kind: fieldOrigSrc}
		case dir == "original" && (key == "ip daddr" || key == "daddr"):
			return field{kind: fieldOrigDst}
		}
	}
	if p := member(v, "payload"); p != nil {
		return payloadField(p)
	}
	if fib := member(v, "fib"); fib != nil && member(fib, "result") == "type" {
		return typeField(flags(member(fib, "flags")))
	}
	return field{kind: fieldUnclear}
}

func payloadField(p any) field {
	layer, _ := member(p, "protocol").(string)
	name, _ := member(p, "field").(string)
	switch layer + " " + name {
	case "ip saddr":
		return field{kind: fieldSrc}
	case "ip daddr":
		return field{kind: fieldDst}
	case "ip protocol":
		return field{kind: fieldProto}
	case "tcp flags":
		return field{kind: fieldFlags, protos: layers[layer]}
	}
	protos, known := layers[layer]
	switch {
	case layer == "ip6":
		return field{kind: fieldNever}
	case known && (protos == nil || hasPorts(uint8(protos[0].lo))) && name == "sport":
		return field{kind: fieldSport, protos: protos}
	case known && (protos == nil || hasPorts(uint8(protos[0].lo))) && name == "dport":
		return field{kind: fieldDport, protos: protos}
	}
	return field{kind: fieldUnclear, protos: protos}
}

// typeField reads `fib saddr type` and the like.
func typeField(flags []string) field {
	fd := field{kind: fieldUnclear}
	for _, f := range flags {
		switch f {
		case "saddr":
			fd.kind = fieldSrcType
		case "daddr":
			fd.kind = fieldDstType
		case "iif":
			fd.limitIn = true
		case "oif":
			fd.limitOut = true
		default:
			return field{kind: fieldUnclear}
		}
	}
	return fd
}

// operands reads what fields are compared with.
func operands(fields []field, v any) ([]operand, bool) {
	parts := []any{v}
	if len(fields) > 1 {
		list, ok := member(v, "concat").([]any)
		if !ok || len(list) != len(fields) {
			return nil, false
		}
		parts = list
	}
	var out []operand
	for i := range fields {
		o, ok := fields[i].operand(parts[i])
		if !ok {
			return nil, false
		}
		out = append(out, o)
	}
	return out, true
}

// flags reads a word, or a list of words.
func flags(v any) []string {
	if word, ok := v.(string); ok {
		return []string{word}
	}
	list, _ := v.([]any)
	var out []string
	for _, f := range list {
		out = append(out, fmt.Sprint(f))
	}
	return out
}
